# Vivado's IP catalog, as far as the plans use it: pins, buses, clocks, parameters of every IP.
#
# From the product guides (PG021 axi_dma, PG065 clk_wiz, PG085 axis_*, PG144 axi_gpio, PG150 ddr4, PG164
# proc_sys_reset, PG195 xdma, PG247 smartconnect, UG586 mig_7series) and from block designs that Vivado wrote
# (firesim/firesim for Alveo cards, a public design for a VC709 with both modules).
#
# Pins and buses with a leading "!" must be connected when the design is validated; numbers are patterns.

array set ip_pins {
    util_ds_buf { !IBUF_OUT IBUF_DS_ODIV2 }
    util_vector_logic { !Op1 Op2 !Res }
    xdma {
        !sys_clk sys_clk_gt !sys_rst_n !usr_irq_req !axi_aclk !axi_aresetn usr_irq_ack user_lnk_up
    }
    clk_wiz { !clk_in1 !clk_out1 !locked !resetn }
    proc_sys_reset {
        !slowest_sync_clk !ext_reset_in dcm_locked aux_reset_in peripheral_aresetn peripheral_reset
        interconnect_aresetn mb_reset bus_struct_reset
    }
    smartconnect { !aclk aclk[1-9] !aresetn }
    axis_dwidth_converter { !aclk !aresetn }
    axis_clock_converter { !s_axis_aclk !s_axis_aresetn !m_axis_aclk !m_axis_aresetn }
    axi_dma {
        !s_axi_lite_aclk !m_axi_mm2s_aclk !m_axi_s2mm_aclk !axi_resetn mm2s_introut s2mm_introut
        mm2s_prmry_reset_out_n s2mm_prmry_reset_out_n
    }
    mig_7series { !sys_rst }
    mig_7series_one { !sys_rst !ui_clk !ui_clk_sync_rst !aresetn mmcm_locked init_calib_complete }
    mig_7series_two {
        !sys_rst !c0_ui_clk !c0_ui_clk_sync_rst !c0_aresetn c0_mmcm_locked c0_init_calib_complete
        !c1_ui_clk !c1_ui_clk_sync_rst !c1_aresetn c1_mmcm_locked c1_init_calib_complete
    }
    ddr4 { !sys_rst !c0_ddr4_ui_clk !c0_ddr4_ui_clk_sync_rst !c0_ddr4_aresetn c0_init_calib_complete }
    module {}
    axi_gpio { !s_axi_aclk !s_axi_aresetn !gpio_io_o }
}
array set ip_buses {
    util_ds_buf { !CLK_IN_D }
    util_vector_logic {}
    xdma { !pcie_mgt !M_AXI_LITE !M_AXIS_H2C_0 !S_AXIS_C2H_0 M_AXIS_H2C_1 S_AXIS_C2H_1 M_AXI_BYPASS }
    clk_wiz {}
    proc_sys_reset {}
    smartconnect { !S00_AXI S0[1-9]_AXI !M00_AXI M0[1-9]_AXI }
    axi_gpio { !S_AXI }
    axis_dwidth_converter { !S_AXIS !M_AXIS }
    axis_clock_converter { !S_AXIS !M_AXIS }
    axi_dma { !S_AXI_LITE !M_AXI_MM2S !M_AXIS_MM2S !M_AXI_S2MM !S_AXIS_S2MM }
    mig_7series { mig_ddr_interface }
    mig_7series_one { !S_AXI !SYS_CLK !DDR3 }
    mig_7series_two { !S0_AXI !C0_SYS_CLK !C0_DDR3 !S1_AXI !C1_SYS_CLK !C1_DDR3 }
    ddr4 { !C0_DDR4_S_AXI !C0_SYS_CLK !C0_DDR4 C0_DDR4_S_AXI_CTRL }
}

# Clock pins, and what moves with each. Of a smartconnect any clock may serve any bus.
array set ip_clocks {
    xdma { axi_aclk { M_AXI* M_AXIS* S_AXIS* axi_aresetn usr_irq_* user_lnk_up } }
    clk_wiz { clk_in1 {} clk_out1 {} }
    proc_sys_reset { slowest_sync_clk { peripheral_* interconnect_* mb_reset bus_struct_reset } }
    smartconnect { aclk { aresetn } aclk* {} }
    axis_dwidth_converter { aclk { S_AXIS M_AXIS aresetn } }
    axis_clock_converter { s_axis_aclk { S_AXIS s_axis_aresetn } m_axis_aclk { M_AXIS m_axis_aresetn } }
    axi_dma {
        s_axi_lite_aclk { S_AXI_LITE axi_resetn } m_axi_mm2s_aclk { M_AXI_MM2S M_AXIS_MM2S mm2s_* }
        m_axi_s2mm_aclk { M_AXI_S2MM S_AXIS_S2MM s2mm_* }
    }
    mig_7series_one { ui_clk { S_AXI ui_clk_sync_rst aresetn init_calib_complete } }
    mig_7series_two {
        c0_ui_clk { S0_AXI c0_ui_clk_sync_rst c0_aresetn c0_init_calib_complete }
        c1_ui_clk { S1_AXI c1_ui_clk_sync_rst c1_aresetn c1_init_calib_complete }
    }
    ddr4 {
        c0_ddr4_ui_clk {
            C0_DDR4_S_AXI C0_DDR4_S_AXI_CTRL c0_ddr4_ui_clk_sync_rst c0_ddr4_aresetn c0_init_calib_complete
        }
    }
    module { aclk { s_* m_* aresetn marker interrupt uart_tx heartbeat traffic } }
    axi_gpio { s_axi_aclk { S_AXI s_axi_aresetn gpio_io_o } }
    util_ds_buf {}
    util_vector_logic {}
}

# Inputs that an IP takes in whatever clock: it synchronises them itself, with constraints of its own, or they
# are asynchronous resets of a clock generator. Outputs that never change.
array set ip_asynchronous {
    proc_sys_reset { ext_reset_in aux_reset_in dcm_locked }
    clk_wiz { resetn }
    xdma { sys_rst_n sys_clk sys_clk_gt }
    mig_7series_one { sys_rst } mig_7series_two { sys_rst } mig_7series { sys_rst } ddr4 { sys_rst }
    util_vector_logic { Op1 Op2 Res } module { uart_rx }
}
array set ip_constant { module { request } }

# Parameters, and the values they take: a pattern of Tcl's "string match", several, or a kind of word.
array set ip_parameters {
    util_ds_buf { C_BUF_TYPE {IBUFDS IBUFDSGTE BUFG*} }
    util_vector_logic { C_OPERATION {not and or xor} C_SIZE integer }
    xdma {
        functional_mode DMA mode_selection {Basic Advanced} pl_link_cap_max_link_width {X1 X2 X4 X8 X16}
        pl_link_cap_max_link_speed {2.5_GT/s 5.0_GT/s 8.0_GT/s} axi_data_width {64_bit 128_bit 256_bit 512_bit}
        axisten_freq {62.5 125 250} xdma_axi_intf_mm {AXI_Memory_Mapped AXI_Stream}
        xdma_rnum_chnl {1 2 3 4} xdma_wnum_chnl {1 2 3 4} xdma_num_usr_irq integer
        axilite_master_en {true false} axilite_master_scale {Kilobytes Megabytes Gigabytes}
        axilite_master_size integer pciebar2axibar_axil_master 0x* cfg_mgmt_if {true false}
        pcie_blk_locn X*Y* en_gt_selection {true false} select_quad GTY_Quad_*
        SYS_RST_N_BOARD_INTERFACE *
    }
    clk_wiz {
        PRIMITIVE {MMCM PLL}
        PRIM_SOURCE {Single_ended_clock_capable_pin Differential_clock_capable_pin Global_buffer No_buffer}
        PRIM_IN_FREQ real CLKOUT1_REQUESTED_OUT_FREQ real RESET_TYPE {ACTIVE_HIGH ACTIVE_LOW}
        RESET_PORT {reset resetn}
    }
    proc_sys_reset { C_AUX_RESET_HIGH {0 1} }
    smartconnect { NUM_SI integer NUM_MI integer NUM_CLKS integer HAS_ARESETN {0 1} }
    axis_dwidth_converter {
        S_TDATA_NUM_BYTES integer M_TDATA_NUM_BYTES integer HAS_TLAST {0 1} HAS_TKEEP {0 1}
    }
    axis_clock_converter {}
    axi_dma {
        c_include_sg {0 1} c_sg_include_stscntrl_strm {0 1} c_sg_length_width integer c_addr_width integer
        c_include_mm2s {0 1} c_include_s2mm {0 1} c_mm2s_burst_size {2 4 8 16 32 64 128 256}
        c_s2mm_burst_size {2 4 8 16 32 64 128 256} c_m_axi_mm2s_data_width {32 64 128 256 512 1024}
        c_m_axis_mm2s_tdata_width {8 16 32 64 128 256 512 1024}
        c_m_axi_s2mm_data_width {32 64 128 256 512 1024}
    }
    mig_7series { RESET_BOARD_INTERFACE * } mig_7series_one { RESET_BOARD_INTERFACE * }
    mig_7series_two { RESET_BOARD_INTERFACE * }
    ddr4 {
        RESET_BOARD_INTERFACE * C0.DDR4_AUTO_AP_COL_A3 {true false}
        C0.DDR4_Mem_Add_Map {ROW_COLUMN_BANK ROW_BANK_COLUMN BANK_ROW_COLUMN ROW_COLUMN_BANK_INTLV}
    }
    module {}
    axi_gpio { C_GPIO_WIDTH integer C_ALL_OUTPUTS {0 1} }
}

# Whether an IP of that kind has the parameter, and it takes the value.
proc check_parameter {cell name value} {
    set kind $::kind($cell)
    array set known $::ip_parameters($kind)
    set name [string range $name 7 end]
    if {![info exists known($name)]} { error "$kind has no parameter CONFIG.$name" }
    foreach pattern $known($name) {
        if {$pattern eq "integer" && [string is integer -strict $value]} return
        if {$pattern eq "real" && [string is double -strict $value]} return
        if {[string match $pattern $value]} return
    }
    error "CONFIG.$name of $kind cannot be '$value'"
}
