# DDR3 of a 7-series board: MIG, configured whole by the board file.

proc make_dram {diagram} {
    global settings
    cell mig_7series dram
    to_board [board_interface $settings(dram_interfaces)] dram/mig_ddr_interface $diagram
    # The board file's preset usually brings its clock along.
    if {[llength [get_bd_intf_nets -quiet -of_objects [get_bd_intf_pins dram/SYS_CLK]]] == 0} {
        to_board $settings(dram_clock) dram/SYS_CLK $diagram
    }
    reset_to_board reset ACTIVE_HIGH dram RESET_BOARD_INTERFACE sys_rst
}

proc dram_pins {} {
    return {
        bus dram/S_AXI
        clock dram/ui_clk
        reset_out dram/ui_clk_sync_rst
        reset_in dram/aresetn
    }
}
