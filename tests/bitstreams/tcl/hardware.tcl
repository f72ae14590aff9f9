# Vivado's hardware manager: cables with devices on them, and flashes.

foreach name {open_hw open_hw_manager} {
    command $name {} {} 0 0 [string map [list @NAME $name] {
        if {"@NAME" ne [expr {[release_is 2019.2] ? "open_hw_manager" : "open_hw"}]} {
            error "Vivado $::fake(version) has no command @NAME"
        }
    }]
}
command connect_hw_server {-allow_non_jtag} {-url} 0 0 {
    if {!$::fake(server)} { error "connection refused" }
}
# fake(devices): names of targets and of the device on each.
command get_hw_targets {-quiet} {} 0 1 {
    set names {}
    foreach {target device} $::fake(devices) {
        if {[string match [lindex $args 0] $target]} { lappend names $target }
    }
    return $names
}
command open_hw_target {} {} 0 1 { set ::target [lindex $args 0] }
command close_hw_target {} {} 0 1 { unset ::target }
command get_hw_devices {-quiet} {} 0 1 { return [dict get $::fake(devices) $::target] }
command current_hw_device {} {} 0 1 {}
command refresh_hw_device {-quiet} {-update_hw_probes} 1 1 {}
command program_hw_devices {} {} 1 1 {}
command boot_hw_device {} {} 1 1 {}
command get_cfgmem_parts {-quiet} {} 1 1 {
    return [expr {[lindex $args 0] in $::fake(cfgmem_parts) ? [lindex $args 0] : ""}]
}
command create_hw_cfgmem {} {-hw_device -mem_dev} 0 0 { return cfgmem }
command create_hw_bitstream {} {-hw_device} 1 1 {}
command program_hw_cfgmem {} {-hw_cfgmem} 0 0 {}
