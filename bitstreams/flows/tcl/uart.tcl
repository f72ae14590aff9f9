# The block design around the accelerator with its serial port, for designs that read their weights:
#
#   uart_rx, uart_tx, LEDs ---  accelerator  m_load --- host ---> memory0 ---> dram0 (and memory1, ...)
#                                            m_axi* ----------------^
#
# Clocks: the board's oscillator feeds the first controller, of whose own clock clock/clk_out1 is made: the
# accelerator's, its serial port's and that of the host's way to memory. The others are the controllers' own.
#
# Reset: the board's button resets the controllers, and with them all that is here: a burst that memory has forgotten
# would never end. The accelerator waits until every memory is calibrated.

source board.tcl
source dram.tcl
source memory.tcl

proc make_block {diagram} {
    global settings
    make_memories $diagram
    set first [lindex $settings(memories) 0]
    make_accelerator $settings($first,clock) reset_$first/peripheral_aresetn [list CONFIG.PRIMITIVE $settings(primitive)]
    wait_for_memories
    connect_memories accelerator/m_load accelerator/m_load clock/clk_out1 reset_accelerator/peripheral_aresetn
    connect_pads
}

# Calibration ends in another clock: the input is one that the reset block synchronises.
proc wait_for_memories {} {
    global settings
    set calibrated ""
    foreach memory $settings(memories) {
        set pin $settings($memory,calibrated)
        if {$calibrated ne ""} {
            cell util_vector_logic calibrated_$memory {CONFIG.C_OPERATION and CONFIG.C_SIZE 1}
            join_pins $calibrated calibrated_$memory/Op1
            join_pins $pin calibrated_$memory/Op2
            set pin calibrated_$memory/Res
        }
        set calibrated $pin
    }
    set_property CONFIG.C_AUX_RESET_HIGH 0 [get_bd_cells reset_accelerator]
    join_pins $calibrated reset_accelerator/aux_reset_in
}

# Pads of the logic itself; their pins are in the constraints.
proc connect_pads {} {
    foreach {pad direction} $::settings(pads) {
        set port [create_bd_port -dir $direction -type data $pad]
        set pin [get_bd_pins accelerator/$pad]
        if {$direction eq "I"} {
            connect_bd_net $port $pin
        } else {
            connect_bd_net $pin $port
        }
    }
}
