# Vivado's block designs: cells with the pins that the IP of that name has, nets, address maps.
# Pins with a leading "!" must be connected when the design is validated.

array set ip_pins {
    util_ds_buf { !IBUF_OUT IBUF_DS_ODIV2 }
    xdma {
        !sys_clk sys_clk_gt !sys_rst_n !usr_irq_req !axi_aclk !axi_aresetn usr_irq_ack user_lnk_up
    }
    clk_wiz { !clk_in1 !clk_out1 !locked !resetn }
    proc_sys_reset {
        !slowest_sync_clk !ext_reset_in dcm_locked aux_reset_in peripheral_aresetn peripheral_reset
        interconnect_aresetn mb_reset bus_struct_reset
    }
    smartconnect { !aclk !aclk1 aclk2 !aresetn }
    axis_dwidth_converter { !aclk !aresetn }
    axis_clock_converter { !s_axis_aclk !s_axis_aresetn !m_axis_aclk !m_axis_aresetn }
    mig_7series { !sys_rst !ui_clk !ui_clk_sync_rst !aresetn mmcm_locked init_calib_complete }
    ddr4 { !sys_rst !c0_ddr4_ui_clk !c0_ddr4_ui_clk_sync_rst !c0_ddr4_aresetn c0_init_calib_complete }
    module { !aclk !aresetn !request !marker }
    axi_gpio { !s_axi_aclk !s_axi_aresetn !gpio_io_o }
}
array set ip_buses {
    util_ds_buf { !CLK_IN_D }
    xdma { !pcie_mgt !M_AXI_LITE !M_AXI_BYPASS !M_AXIS_H2C_0 !S_AXIS_C2H_0 }
    clk_wiz {}
    proc_sys_reset {}
    smartconnect { !S00_AXI S01_AXI S02_AXI !M00_AXI M01_AXI }
    axi_gpio { !S_AXI }
    axis_dwidth_converter { !S_AXIS !M_AXIS }
    axis_clock_converter { !S_AXIS !M_AXIS }
    mig_7series { !S_AXI !SYS_CLK !mig_ddr_interface }
    ddr4 { !C0_DDR4_S_AXI !C0_SYS_CLK !C0_DDR4 }
}
array set kind {}
array set net_of {}
array set bus_of {}
set external {}
set mapped {}

command get_board_parts {-quiet} {} 1 1 {
    set found {}
    foreach part $::fake(board_parts) {
        if {[string match [lindex $args 0] $part]} { lappend found $part }
    }
    return $found
}
command get_board_part_interfaces {-quiet} {} 1 1 {
    return [expr {[lindex $args 0] in $::fake(interfaces) ? [lindex $args 0] : ""}]
}
command create_bd_design {} {} 1 1 { need_project }
command create_bd_cell {} {-type -vlnv -reference} 1 1 {
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
    } else {
        set ip [lindex [split $opt(-vlnv) :] 2]
        if {![info exists ::ip_pins($ip)]} { error "there is no IP $opt(-vlnv)" }
        set ::kind($name) $ip
    }
    return $name
}
command get_bd_cells {-quiet} {} 1 1 {
    if {![info exists ::kind([lindex $args 0])]} { error "there is no cell [lindex $args 0]" }
    return [lindex $args 0]
}

# The pin of that name, if the IP of its cell has one.
proc find_pin {table name} {
    upvar #0 $table pins
    lassign [split $name /] cell pin
    if {![info exists ::kind($cell)]} { error "there is no cell $cell for $name" }
    if {$pin ni [string map {! ""} $pins($::kind($cell))]} { error "$::kind($cell) has no pin $pin" }
    return $name
}
command get_bd_pins {-quiet} {} 1 1 { return [find_pin ip_pins [lindex $args 0]] }
command get_bd_intf_pins {-quiet} {} 1 1 { return [find_pin ip_buses [lindex $args 0]] }
command create_bd_port {} {-dir -type -from -to} 1 1 {
    lappend ::external [lindex $args 0]
    return [lindex $args 0]
}
# connect_bd_net FROM TO: TO must have no driver yet.
command connect_bd_net {} {} 2 2 {
    lassign $args from to
    if {[info exists ::net_of($to)]} { error "$to has a driver already: $::net_of($to)" }
    set ::net_of($to) $from
    set ::net_of($from,drives) 1
}
command connect_bd_intf_net {} {} 2 2 {
    foreach bus $args {
        if {[info exists ::bus_of($bus)]} { error "$bus is connected already" }
    }
    lassign $args ::bus_of([lindex $args 1]) ::bus_of([lindex $args 0])
}
command get_bd_intf_nets {-quiet} {-of_objects} 0 0 {
    return [expr {[info exists ::bus_of($opt(-of_objects))] ? $::bus_of($opt(-of_objects)) : ""}]
}
command apply_board_connection {} {-board_interface -ip_intf -diagram} 0 0 {
    if {$opt(-board_interface) ni $::fake(interfaces)} { error "the board has no $opt(-board_interface)" }
    set bus [find_pin ip_buses $opt(-ip_intf)]
    set ::bus_of($bus) $opt(-board_interface)
    lappend ::external $opt(-board_interface)
    if {$bus eq "dram/mig_ddr_interface" && $::fake(memory_clock_comes_along)} {
        set ::bus_of(dram/SYS_CLK) sys_diff_clock
        lappend ::external sys_diff_clock
    }
}
command get_bd_addr_spaces {} {} 1 1 { return /[find_pin ip_buses [lindex $args 0]] }
command get_bd_addr_segs {} {-of_objects} 0 0 { return /$opt(-of_objects)/segment }
command assign_bd_address {-force} {-offset -range -target_address_space} 1 1 {
    if {![release_is 2020.1]} { error "no such options in $::fake(version)" }
    lappend ::mapped $opt(-target_address_space)
}
command create_bd_addr_seg {} {-range -offset} 3 3 { lappend ::mapped [lindex $args 0] }
command validate_bd_design {} {} 0 0 {
    foreach cell [array names ::kind] {
        foreach {table found} {ip_pins ::net_of ip_buses ::bus_of} {
            upvar #0 $table pins
            foreach pin $pins($::kind($cell)) {
                set name $cell/[string trimleft $pin !]
                set connected [expr {[info exists ${found}($name)] || [info exists ${found}($name,drives)]}]
                if {[string match !* $pin] && !$connected} { error "$name is not connected" }
            }
        }
        if {$::kind($cell) eq "smartconnect"} { check_smartconnect $cell }
    }
    foreach master [array names ::bus_of] {
        if {[string match */M_AXI_* $master] || [string match */m_axi* $master]} {
            if {![string match */m_axis $master] && "/$master" ni $::mapped} { error "$master has no address map" }
        }
    }
}
proc check_smartconnect {cell} {
    foreach {property pattern} {NUM_SI S*_AXI NUM_MI M*_AXI} {
        set used [llength [array names ::bus_of $cell/$pattern]]
        if {$::properties($cell,CONFIG.$property) != $used} { error "$cell: $property is not $used" }
    }
    set clocks [llength [array names ::net_of $cell/aclk*]]
    if {$::properties($cell,CONFIG.NUM_CLKS) != $clocks} { error "$cell: NUM_CLKS is not $clocks" }
}
command save_bd_design {} {} 0 0 {}
command get_files {-quiet} {} 1 1 { return [lindex $args 0] }
command generate_target {} {} 2 2 {}
command make_wrapper {-top -import} {-files} 0 0 {
    set name [file rootname $opt(-files)]_wrapper
    touch project/$name.v "module $name ();\nendmodule\n"
    lappend ::sources project/$name.v
    note external {*}$::external
}
