"""What every part of the project uses: errors, files, processes, reading and quoting."""
