# Memory images by absolute path. Vivado synthesises parts of a design in folders of its own, and then
# does not find what $readmemb names relative to this one.

proc with_image_paths {files} {
    set place [file normalize sources]
    file mkdir $place
    set map {}
    foreach image $::settings(images) {
        lappend map "\"$image\"" "\"[file normalize $image]\""
    }
    set result {}
    foreach name $files {
        set file [open $name]
        set text [read $file]
        close $file
        set file [open $place/$name w]
        puts -nonewline $file [string map $map $text]
        close $file
        lappend result $place/$name
    }
    return $result
}
