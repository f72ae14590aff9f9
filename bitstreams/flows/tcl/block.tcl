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
