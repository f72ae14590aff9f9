# Controllers of memory, configured by the board file. settings(NAME,...) has what differs: see memory_map.py.

# All controllers, and the resets of their memories.
proc make_memories {diagram} {
    foreach controller $::settings(controllers) {
        make_controller $controller $diagram
    }
    foreach memory $::settings(memories) {
        reset_memory $memory
    }
}

# Makes the controller NAME, its memory and its clocks external as interfaces of the board.
proc make_controller {name diagram} {
    global settings
    make_$settings($name,kind) $name [board_interface $settings($name,interfaces)] $diagram
    foreach pads $settings($name,pads) {
        must_be_joined $pads
    }
    # A preset may have brought a clock along, with pins of its own.
    foreach {pin clock} $settings($name,oscillators) {
        if {![is_joined $pin]} {
            to_board $clock $pin $diagram
        }
    }
    reset_controller $name
}

# DDR3 of a 7-series board: MIG, configured whole by the preset, which gives it the pins that are named
# above in exchange for this one.
proc make_mig7 {name interface diagram} {
    cell mig_7series $name
    apply_board_connection -board_interface $interface -ip_intf $name/mig_ddr_interface -diagram $diagram
}

# DDR4 of an UltraScale+ board.
proc make_ddr4 {name interface diagram} {
    global settings
    cell ddr4 $name
    to_board $interface $name/C0_DDR4 $diagram
    if {[llength $settings($name,options)] > 0} {
        set_property -dict $settings($name,options) [get_bd_cells $name]
    }
}

# The board's button resets every controller: one port, and one inverter for those that want it the other way.
proc reset_controller {name} {
    global settings
    lassign $settings(button) button polarity
    set_property CONFIG.RESET_BOARD_INTERFACE $button [get_bd_cells $name]
    if {[llength [get_bd_ports -quiet $button]] == 0} {
        create_bd_port -dir I -type rst $button
        set_property CONFIG.POLARITY $polarity [get_bd_ports $button]
    }
    if {$settings($name,reset) eq $polarity} {
        connect_bd_net [get_bd_ports $button] [get_bd_pins $name/sys_rst]
        return
    }
    if {[llength [get_bd_cells -quiet reset_inverted]] == 0} {
        cell util_vector_logic reset_inverted {CONFIG.C_OPERATION not CONFIG.C_SIZE 1}
        connect_bd_net [get_bd_ports $button] [get_bd_pins reset_inverted/Op1]
    }
    join_pins reset_inverted/Res $name/sys_rst
}
