# The way to memory, of the host and of every AXI4 port of the accelerator. settings(MEMORY,...) has what differs:
# see memory_map.py.
#
#   host's managers --- host ---> memory0 ---> its controller (and memory1, ...)
#   m_axi*  accelerator ------------^
#
# Every memory has a crossbar of its own, in which widths change, and clocks: that of the host, the controller's and
# the accelerator's. What crosses, crosses there or in a reset block, whose constraints come with them (PG247, PG164).

# The reset of a controller's port: its own output is active high and lasts until its clock is stable.
proc reset_memory {memory} {
    global settings
    set reset reset_$memory
    cell proc_sys_reset $reset
    join_pins $settings($memory,clock) $reset/slowest_sync_clk
    join_pins $settings($memory,reset_out) $reset/ext_reset_in
    join_pins $reset/peripheral_aresetn $settings($memory,reset_in)
}

# managers: buses through which the host reads and writes all memories, in this clock and reset; spaces: in which
# they have addresses.
proc connect_memories {managers spaces clock reset} {
    global settings
    set memories $settings(memories)
    cell smartconnect host \
        [list CONFIG.NUM_SI [llength $managers] CONFIG.NUM_MI [llength $memories] CONFIG.NUM_CLKS 1]
    join_pins $clock host/aclk
    join_pins $reset host/aresetn
    join_managers host $managers
    set number 0
    foreach memory $memories {
        connect_memory $memory [format host/M%02d_AXI $number] $clock $reset
        map_memory $memory $spaces
        incr number
    }
}

# A crossbar before the controller of a memory: the host's side first, then the accelerator's ports.
proc connect_memory {memory host clock reset} {
    global settings
    set managers [concat $host $settings($memory,ports)]
    set clocks [list $clock $settings($memory,clock)]
    if {$clock ne "clock/clk_out1"} {
        lappend clocks clock/clk_out1
    }
    cell smartconnect $memory \
        [list CONFIG.NUM_SI [llength $managers] CONFIG.NUM_MI 1 CONFIG.NUM_CLKS [llength $clocks]]
    foreach source $clocks pin {aclk aclk1 aclk2} {
        if {$source ne ""} {
            join_pins $source $memory/$pin
        }
    }
    join_pins $reset $memory/aresetn
    join_managers $memory $managers
    join_buses $memory/M00_AXI $settings($memory,bus)
}

proc join_managers {crossbar managers} {
    set number 0
    foreach manager $managers {
        join_buses $manager [format $crossbar/S%02d_AXI $number]
        incr number
    }
}

# The host finds every memory at an address of its own, a port of the accelerator the one it has at 0.
proc map_memory {memory spaces} {
    global settings
    set segment [get_bd_addr_segs -of_objects [get_bd_intf_pins $settings($memory,bus)]]
    set bytes $settings($memory,bytes)
    foreach space $spaces {
        map_segment [get_bd_addr_spaces $space] $segment $settings($memory,base) $bytes
    }
    foreach port $settings($memory,ports) {
        map_segment [get_bd_addr_spaces $port] $segment 0x0 $bytes
    }
}
