# The block design around the accelerator:
#
#   PCIe - xdma --- AXI4-Lite ------ lite --------> s_axil  accelerator, marker, loader
#               --- H2C stream 0 --- h2c_* -------> s_axis  accelerator
#               <-- C2H stream 0 --- c2h_* -------- m_axis  accelerator
#               --- H2C stream 1 --> loader -.
#               <-- C2H stream 1 ---         |
#                                         host ---> memory0 --> dram0 (and memory1, ...)
#                                                     ^-------- m_axi*  accelerator
#
# The right half of the last lines is there for designs that read weights: a controller of memory and a
# crossbar of its own for each m_axi*. The loader moves what comes at stream 1 to where its registers say,
# and back (AXI DMA, PG021); addresses are those of memory_map.py.
#
# Clocks: xdma/axi_aclk (250 MHz), clock/clk_out1 (the accelerator), the controllers' own. All that goes from
# one to another does so in a crossbar, a clock converter or a reset block, whose constraints come with
# them (PG247, PG085, PG164). Pins come from Vivado's board files; where those do not know PCI Express, its pins are
# in the constraints.

source board.tcl
source dram.tcl
source memory.tcl

proc make_block {diagram} {
    make_pcie $diagram
    make_accelerator xdma/axi_aclk xdma/axi_aresetn {CONFIG.PRIM_IN_FREQ 250.000}
    join_pins accelerator/request xdma/usr_irq_req
    make_memories $diagram
    connect_streams
    if {[llength $::settings(memories)] > 0} {
        make_loader
        connect_memories {loader/M_AXI_S2MM loader/M_AXI_MM2S} {loader/Data_S2MM loader/Data_MM2S} \
            xdma/axi_aclk xdma/axi_aresetn
    }
    connect_registers
}

# --- PCI Express ---------------------------------------------------------------------------------------

proc make_pcie {diagram} {
    global settings
    cell util_ds_buf refclk {CONFIG.C_BUF_TYPE IBUFDSGTE}
    cell xdma xdma
    # The board's preset comes first: it must not undo what is set after it.
    connect_link pci_express_x$settings(lanes) $diagram
    set channels [expr {[llength $settings(memories)] > 0 ? 2 : 1}]
    set_property -dict [concat $settings(xdma) [list \
        CONFIG.functional_mode DMA \
        CONFIG.pl_link_cap_max_link_width X$settings(lanes) \
        CONFIG.pl_link_cap_max_link_speed $settings(gts)_GT/s \
        CONFIG.axi_data_width [expr {8 * $settings(link_bytes)}]_bit \
        CONFIG.axisten_freq 250 \
        CONFIG.xdma_axi_intf_mm AXI_Stream \
        CONFIG.xdma_rnum_chnl $channels \
        CONFIG.xdma_wnum_chnl $channels \
        CONFIG.xdma_num_usr_irq 1 \
        CONFIG.axilite_master_en true \
        CONFIG.axilite_master_scale Kilobytes \
        CONFIG.axilite_master_size 64 \
        CONFIG.pciebar2axibar_axil_master 0x00000000 \
        CONFIG.cfg_mgmt_if false \
    ]] [get_bd_cells xdma]
    if {$settings(series) eq "7"} {
        join_pins refclk/IBUF_OUT xdma/sys_clk
    } else {
        join_pins refclk/IBUF_OUT xdma/sys_clk_gt
        join_pins refclk/IBUF_DS_ODIV2 xdma/sys_clk
    }
}

# Clock, lanes and reset of the link; not every board file has them.
proc connect_link {lanes diagram} {
    if {$::settings(pcie_in_board_file)} {
        to_board pcie_refclk refclk/CLK_IN_D $diagram
        to_board $lanes xdma/pcie_mgt $diagram
        reset_to_board pcie_perstn ACTIVE_LOW xdma SYS_RST_N_BOARD_INTERFACE sys_rst_n
    } else {
        to_pins pcie_refclk Slave diff_clock_rtl refclk/CLK_IN_D
        to_pins $lanes Master pcie_7x_mgt_rtl xdma/pcie_mgt
        reset_to_board pcie_perstn ACTIVE_LOW xdma "" sys_rst_n
    }
}

# --- registers -----------------------------------------------------------------------------------------

proc connect_registers {} {
    global settings
    # Behind the accelerator's 4 KiB lies the word that empties the streams.
    cell axi_gpio marker {CONFIG.C_GPIO_WIDTH 32 CONFIG.C_ALL_OUTPUTS 1}
    join_pins clock/clk_out1 marker/s_axi_aclk
    join_pins reset_accelerator/peripheral_aresetn marker/s_axi_aresetn
    join_pins marker/gpio_io_o accelerator/marker
    set count [expr {[llength $settings(windows)] / 2}]
    cell smartconnect lite [list CONFIG.NUM_SI 1 CONFIG.NUM_MI $count CONFIG.NUM_CLKS 2]
    join_pins xdma/axi_aclk lite/aclk
    join_pins xdma/axi_aresetn lite/aresetn
    join_pins clock/clk_out1 lite/aclk1
    join_buses xdma/M_AXI_LITE lite/S00_AXI
    set number 0
    foreach {bus offset} $settings(windows) {
        join_buses [format lite/M%02d_AXI $number] $bus
        map_segment [get_bd_addr_spaces xdma/M_AXI_LITE] \
            [get_bd_addr_segs -of_objects [get_bd_intf_pins $bus]] $offset 4K
        incr number
    }
}

# --- streams: 16 to 64 bytes at the host's side, 4 to 32 at the accelerator's ---------------------------

# The width changes in the clock of PCI Express, so that the narrow side can keep up with any accelerator.
# tkeep marks the end of a frame that does not fill a beat: going down, the words after it are dropped
# and tlast moves to the last one that counts. Streams as wide as the link need no converter.
proc width_converter {name from to} {
    cell axis_dwidth_converter $name [list \
        CONFIG.S_TDATA_NUM_BYTES $from CONFIG.M_TDATA_NUM_BYTES $to CONFIG.HAS_TLAST 1 CONFIG.HAS_TKEEP 1]
    join_pins xdma/axi_aclk $name/aclk
    join_pins xdma/axi_aresetn $name/aresetn
}

# Clock and reset of one side (s or m) of a clock converter.
proc clock_side {name side clock reset} {
    join_pins $clock $name/${side}_axis_aclk
    join_pins $reset $name/${side}_axis_aresetn
}

proc connect_streams {} {
    global settings
    set bytes $settings(stream_bytes)
    set link $settings(link_bytes)
    cell axis_clock_converter h2c_clock
    clock_side h2c_clock s xdma/axi_aclk xdma/axi_aresetn
    clock_side h2c_clock m clock/clk_out1 reset_accelerator/peripheral_aresetn
    join_buses h2c_clock/M_AXIS accelerator/s_axis

    cell axis_clock_converter c2h_clock
    clock_side c2h_clock s clock/clk_out1 reset_accelerator/peripheral_aresetn
    clock_side c2h_clock m xdma/axi_aclk xdma/axi_aresetn
    join_buses accelerator/m_axis c2h_clock/S_AXIS
    if {$bytes == $link} {
        join_buses xdma/M_AXIS_H2C_0 h2c_clock/S_AXIS
        join_buses c2h_clock/M_AXIS xdma/S_AXIS_C2H_0
    } else {
        width_converter h2c_width $link $bytes
        join_buses xdma/M_AXIS_H2C_0 h2c_width/S_AXIS
        join_buses h2c_width/M_AXIS h2c_clock/S_AXIS
        width_converter c2h_width $bytes $link
        join_buses c2h_clock/M_AXIS c2h_width/S_AXIS
        join_buses c2h_width/M_AXIS xdma/S_AXIS_C2H_0
    }
}

# --- memory: the host reads and writes through the loader ----------------------------------------------

# Stream to memory and back, in the clock of PCI Express; a transfer is 64 MiB less a byte at most.
proc make_loader {} {
    global settings
    set bits [expr {8 * $settings(link_bytes)}]
    cell axi_dma loader [list \
        CONFIG.c_include_sg 0 \
        CONFIG.c_sg_include_stscntrl_strm 0 \
        CONFIG.c_sg_length_width 26 \
        CONFIG.c_addr_width 64 \
        CONFIG.c_m_axi_mm2s_data_width $bits \
        CONFIG.c_m_axis_mm2s_tdata_width $bits \
        CONFIG.c_mm2s_burst_size 64 \
        CONFIG.c_m_axi_s2mm_data_width $bits \
        CONFIG.c_s2mm_burst_size 64 \
    ]
    join_pins xdma/axi_aclk loader/s_axi_lite_aclk loader/m_axi_mm2s_aclk loader/m_axi_s2mm_aclk
    join_pins xdma/axi_aresetn loader/axi_resetn
    join_buses xdma/M_AXIS_H2C_1 loader/S_AXIS_S2MM
    join_buses loader/M_AXIS_MM2S xdma/S_AXIS_C2H_1
}
