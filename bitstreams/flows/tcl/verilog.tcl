# Memory images by absolute path. Vivado synthesises parts of a design in folders of its own, and then
# does not find what $readmemb names relative to this one.

proc with_image_paths {files} {
    set folder [file normalize sources]
    file mkdir $folder
    set map {}
    foreach image $::settings(images) {
        lappend map "\"$image\"" "\"[file normalize $image]\""
    }
    set result {}
    foreach name $files {
        set file [open $name]
        set text [read $file]
        close $file
        set file [open $folder/$name w]
        puts -nonewline $file [string map $map $text]
        close $file
        lappend result $folder/$name
    }
    return $result
}
