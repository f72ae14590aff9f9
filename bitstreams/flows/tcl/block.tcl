# A block design: what every one has, whatever is in it. $settings(transport).tcl has its make_block.

source $settings(transport).tcl

proc build_block {name} {
    create_bd_design $name
    make_block $name
    validate_bd_design
    save_bd_design
    set file [get_files $name.bd]
    generate_target all $file
    make_wrapper -files $file -top -import
    return ${name}_wrapper
}

# The accelerator at clock/clk_out1, which is made of another clock, and in reset until that one's reset is over.
# properties: of the clock generator, beside what every one has.
proc make_accelerator {from resetn {properties {}}} {
    global settings
    cell clk_wiz clock [concat $properties [list \
        CONFIG.PRIM_SOURCE No_buffer \
        CONFIG.CLKOUT1_REQUESTED_OUT_FREQ $settings(mhz) \
        CONFIG.RESET_TYPE ACTIVE_LOW \
        CONFIG.RESET_PORT resetn \
    ]]
    cell proc_sys_reset reset_accelerator
    create_bd_cell -type module -reference $settings(top) accelerator
    join_pins $from clock/clk_in1
    join_pins $resetn clock/resetn reset_accelerator/ext_reset_in
    join_pins clock/locked reset_accelerator/dcm_locked
    join_pins clock/clk_out1 reset_accelerator/slowest_sync_clk accelerator/aclk
    join_pins reset_accelerator/peripheral_aresetn accelerator/aresetn
}

# --- small words ---------------------------------------------------------------------------------------

proc cell {ip name {properties {}}} {
    set cell [create_bd_cell -type ip -vlnv xilinx.com:ip:$ip $name]
    if {[llength $properties] > 0} {
        set_property -dict $properties $cell
    }
    return $cell
}

proc join_buses {from to} {
    connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to]
}

# One driver, any number of sinks.
proc join_pins {from args} {
    foreach to $args {
        connect_bd_net [get_bd_pins $from] [get_bd_pins $to]
    }
}
