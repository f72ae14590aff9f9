# Vivado's block designs: cells of the catalog, nets, address maps. Options are those of UG835.

source $recorder_folder/catalog.tcl
source $recorder_folder/validation.tcl
source $recorder_folder/processors.tcl

array set kind {}
array set net_of {}
array set bus_of {}
array set width_of {}
set external {}
set ports {}
set mapped {}

command get_board_parts {-quiet -verbose -regexp -nocase -latest_file_version -latest_hw_revision} {-filter} 1 1 {
    set found {}
    foreach part $::fake(board_parts) {
        if {[string match [lindex $args 0] $part]} { lappend found $part }
    }
    return $found
}
command get_board_part_interfaces {-quiet -verbose -regexp -nocase} {-filter -of_objects} 1 1 {
    return [expr {[lindex $args 0] in $::fake(interfaces) ? [lindex $args 0] : ""}]
}
command create_bd_design {-quiet -verbose} {-dir -cell} 1 1 { need_project }
command create_bd_cell {-quiet -verbose} {-type -vlnv -reference -revision} 1 1 {
    set name [lindex $args 0]
    if {[info exists ::kind($name)]} { error "there is a cell $name already" }
    if {$opt(-type) eq "module"} {
        set source [must_be_module $opt(-reference)]
        set ::kind($name) module
        set file [open $source]
        set text [read $file]
        close $file
        set found [lsort -unique [regexp -all -inline {(?:axis|aximm):1.0 \S+} $text]]
        foreach bus $found { lappend ::ip_buses(module) ![lindex $bus 1] }
        foreach {- bus width} [regexp -all -inline {XIL_INTERFACENAME (\w+), PROTOCOL AXI4, DATA_WIDTH (\d+)} $text] {
            set ::width_of($name/$bus) $width
        }
        foreach {- bus bytes} [regexp -all -inline {XIL_INTERFACENAME (\w+), TDATA_NUM_BYTES (\d+)} $text] {
            set ::width_of($name/$bus) $bytes
        }
        # All that is of no bus: clock and reset, and what this shell alone has.
        regexp "\\mmodule $opt(-reference) \\((.*?)\\);" $text -> declared
        foreach {- pin} [regexp -all -inline -line {^  (?:in|out)put (?:\[\d+:0\] )?(\w+),?$} $declared] {
            set of_bus 0
            foreach bus $found { if {[string match [lindex $bus 1]_* $pin]} { set of_bus 1 } }
            if {!$of_bus} { lappend ::ip_pins(module) !$pin }
        }
    } else {
        set ip [lindex [split $opt(-vlnv) :] 2]
        if {![info exists ::ip_pins($ip)]} { error "there is no IP $opt(-vlnv)" }
        set ::kind($name) $ip
    }
    return $name
}
command get_bd_cells {-quiet -verbose -regexp -hierarchical} {-filter -of_objects} 1 1 {
    if {[info exists ::kind([lindex $args 0])]} { return [lindex $args 0] }
    if {![info exists opt(-quiet)]} { error "there is no cell [lindex $args 0]" }
}

# Names of the pins (ip_pins) or buses (ip_buses) of a cell.
proc patterns {table cell} {
    upvar #0 $table names
    set found $names($::kind($cell))
    if {[is_processor $cell]} { lappend found {*}[switched $cell $table] }
    if {$::kind($cell) eq "xlconcat" && $table eq "ip_pins"} {
        for {set i 0} {$i < $::properties($cell,CONFIG.NUM_PORTS)} {incr i} { lappend found !In$i }
    }
    return $found
}

# The pin of that name, if the IP of its cell has one.
proc find_pin {table name} {
    lassign [split $name /] cell pin
    if {![info exists ::kind($cell)]} { error "there is no cell $cell for $name" }
    foreach pattern [string map {! ""} [patterns $table $cell]] {
        if {[string match $pattern $pin]} { return $name }
    }
    error "$::kind($cell) has no pin $pin"
}
command get_bd_pins {-quiet -verbose -regexp -hierarchical} {-filter -of_objects} 1 1 {
    return [find_pin ip_pins [lindex $args 0]]
}
command get_bd_intf_pins {-quiet -verbose -regexp -hierarchical} {-filter -of_objects} 1 1 {
    return [find_pin ip_buses [lindex $args 0]]
}
command create_bd_port {-quiet -verbose} {-dir -type -from -to -freq_hz} 1 1 {
    set name [lindex $args 0]
    if {$name in $::ports} { error "there is a port $name already" }
    if {$opt(-dir) ni {I O IO} || $opt(-type) ni {clk ce rst intr data}} { error "no such direction or type" }
    lappend ::ports $name
    lappend ::external $name
    return $name
}
command create_bd_intf_port {-quiet -verbose} {-mode -vlnv} 1 1 {
    set name [lindex $args 0]
    if {$name in $::external} { error "there is a port $name already" }
    if {$name in $::fake(interfaces)} { error "the board has an interface $name: it knows its pins" }
    set known {Slave xilinx.com:interface:diff_clock_rtl:1.0 Master xilinx.com:interface:pcie_7x_mgt_rtl:1.0}
    if {![string match "*$opt(-mode) $opt(-vlnv)*" $known]} { error "no port of $opt(-vlnv) is a $opt(-mode)" }
    lappend ::external $name
    return $name
}
command get_bd_ports {-quiet -verbose -regexp} {-filter -of_objects} 1 1 {
    if {[lindex $args 0] in $::ports} { return [lindex $args 0] }
    if {![info exists opt(-quiet)]} { error "there is no port [lindex $args 0]" }
}
# connect_bd_net FROM TO: TO must have no driver yet.
command connect_bd_net {-quiet -verbose} {-net -boundary_type} 2 2 {
    lassign $args from to
    if {[info exists ::net_of($to)]} { error "$to has a driver already: $::net_of($to)" }
    set ::net_of($to) $from
    set ::net_of($from,drives) 1
}
command connect_bd_intf_net {-quiet -verbose} {-intf_net -boundary_type} 2 2 {
    foreach bus $args {
        if {[info exists ::bus_of($bus)]} { error "$bus is connected already" }
    }
    lassign $args ::bus_of([lindex $args 1]) ::bus_of([lindex $args 0])
}
command get_bd_intf_nets {-quiet -verbose -regexp -hierarchical} {-filter -boundary_type -of_objects} 0 0 {
    return [expr {[info exists ::bus_of($opt(-of_objects))] ? $::bus_of($opt(-of_objects)) : ""}]
}
command apply_board_connection {-quiet -verbose} {-board_interface -ip_intf -diagram} 0 0 {
    set interface $opt(-board_interface)
    if {$interface ni $::fake(interfaces)} { error "the board has no $interface" }
    lassign [split [find_pin ip_buses $opt(-ip_intf)] /] cell bus
    if {$bus eq "mig_ddr_interface"} {
        apply_mig_preset $cell $interface
    } else {
        make_external $cell/$bus $interface
    }
}
proc make_external {bus name} {
    set ::bus_of($bus) $name
    lappend ::external $name
}
# A preset gives MIG the pins of its controllers, makes its memories external and, as a rule, its clocks.
proc apply_mig_preset {cell interface} {
    set two [string match *_j1_j3 $interface]
    set ::kind($cell) mig_7series_[expr {$two ? "two" : "one"}]
    foreach {number prefix} [expr {$two ? {"" C0_ _0 C1_} : {"" ""}}] {
        if {$::fake(memory_comes_along)} { make_external $cell/${prefix}DDR3 $interface$number }
        if {$::fake(memory_clock_comes_along)} { make_external $cell/${prefix}SYS_CLK sys_diff_clock$number }
    }
}

# An AXI DMA has a space for each of its ports, named otherwise.
command get_bd_addr_spaces {-quiet -verbose -regexp -hierarchical} {-filter -of_objects} 1 1 {
    lassign [split [lindex $args 0] /] cell space
    if {[info exists ::kind($cell)] && $::kind($cell) eq "axi_dma" && $space in {Data_MM2S Data_S2MM}} {
        return /$cell/$space
    }
    if {[is_processor $cell] && $space eq "Data"} { return /$cell/Data }
    return /[find_pin ip_buses [lindex $args 0]]
}
command get_bd_addr_segs {
    -quiet -verbose -regexp -hierarchical -excluded -addressed -unaddressed -addressing -addressables
} {-filter -of_objects} 0 1 {
    if {[llength $args] == 0} {
        if {[is_processor [lindex [split $opt(-of_objects) /] 0]]} { error "a processor has several segments: name one" }
        return /$opt(-of_objects)/segment
    }
    regexp {^(\w+)/(.*)$} [lindex $args 0] -> cell segment
    foreach {name bus -} $::ip_segments($::kind($cell)) {
        if {$name eq $segment} { return /[find_pin ip_buses $cell/$bus]/segment }
    }
    error "there is no segment [lindex $args 0]"
}
command assign_bd_address {-force -boundary -master_boundary -external -quiet -verbose} {
    -offset -range -target_address_space -dict -import_from_file -export_to_file -base_high
} 1 1 {
    if {![release_is 2020.1]} { error "no such options in $::fake(version)" }
    map_in $opt(-target_address_space) [lindex $args 0] $opt(-offset) $opt(-range)
}
command create_bd_addr_seg {-quiet -verbose} {-range -offset} 3 3 {
    map_in [lindex $args 0] [lindex $args 1] $opt(-offset) $opt(-range)
}
command validate_bd_design {-force -include_pfm -quiet -verbose} {-design -steps} 0 0 { validate }
command save_bd_design {-quiet -verbose} {} 0 1 {}
command get_files {-quiet -verbose -all} {-of_objects -filter} 1 1 { return [lindex $args 0] }
command generate_target {-force -quiet -verbose} {} 2 2 { write_description [file rootname [lindex $args 1]] }
command make_wrapper {-top -testbench -inst_template -import -force -quiet -verbose} {-files -fileset} 0 1 {
    set name [file rootname $opt(-files)]_wrapper
    touch project/$name.v "module $name ();\nendmodule\n"
    lappend ::sources project/$name.v
    note external {*}$::external
    note ports_of_memory {*}[ports_of_memory]
}
