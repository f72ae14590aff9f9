# DDR4 of an UltraScale+ board, configured by the board file.

proc make_dram {diagram} {
    global settings
    cell ddr4 dram
    to_board [board_interface $settings(dram_interfaces)] dram/C0_DDR4 $diagram
    to_board $settings(dram_clock) dram/C0_SYS_CLK $diagram
    reset_to_board reset ACTIVE_HIGH dram RESET_BOARD_INTERFACE sys_rst
}

proc dram_pins {} {
    return {
        bus dram/C0_DDR4_S_AXI
        clock dram/c0_ddr4_ui_clk
        reset_out dram/c0_ddr4_ui_clk_sync_rst
        reset_in dram/c0_ddr4_aresetn
    }
}
