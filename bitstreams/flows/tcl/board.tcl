# Interfaces of the board, by their names in its board file.

# The first of several board interfaces that this board file has: names change between its revisions.
proc board_interface {names} {
    foreach name $names {
        if {[llength [get_board_part_interfaces -quiet $name]] > 0} {
            return $name
        }
    }
    fail "the board file has none of these interfaces: $names"
}

proc is_joined {bus} {
    return [expr {[llength [get_bd_intf_nets -quiet -of_objects [get_bd_intf_pins $bus]]] > 0}]
}

proc must_be_joined {bus} {
    if {![is_joined $bus]} {
        fail "Vivado did not connect $bus to the board"
    }
}

# Makes a bus of a cell external as an interface of the board. Fails rather than leave it open.
proc to_board {interface bus diagram} {
    apply_board_connection -board_interface $interface -ip_intf $bus -diagram $diagram
    must_be_joined $bus
}

# Makes a bus of a cell external under a name that the board file does not have: the constraints have its pins.
proc to_pins {name mode type bus} {
    set port [create_bd_intf_port -mode $mode -vlnv xilinx.com:interface:$type:1.0 $name]
    connect_bd_intf_net $port [get_bd_intf_pins $bus]
}

# A reset of the board: the property, where there is one, places its pin, the port leads to it.
proc reset_to_board {interface polarity cell property pin} {
    if {$property ne ""} {
        set_property CONFIG.$property $interface [get_bd_cells $cell]
    }
    set port [create_bd_port -dir I -type rst $interface]
    set_property CONFIG.POLARITY $polarity $port
    connect_bd_net $port [get_bd_pins $cell/$pin]
}
