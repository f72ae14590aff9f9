# The block design around the accelerator:
#
#   PCIe x8 - xdma --- AXI4-Lite ---- lite -----> s_axil  accelerator, and marker
#                  --- H2C stream --- h2c_* ----> s_axis  accelerator
#                  <-- C2H stream --- c2h_* ----- m_axis  accelerator
#                  --- bypass BAR --- memory ---> dram
#                                     memory <--- m_axi*  accelerator, if it has such ports
#
# Clocks: xdma/axi_aclk (250 MHz), clock/clk_out1 (the accelerator), the DRAM controller's own.
# Pins come from Vivado's board files, so there are none in the constraints.

source dram_$settings(dram).tcl

proc build_block {name} {
    global settings
    create_bd_design $name
    make_pcie $name
    make_accelerator
    make_dram $name
    connect_registers
    connect_streams
    connect_memory
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

# The first of several board interfaces that this board file has: names change between its revisions.
proc board_interface {names} {
    foreach name $names {
        if {[llength [get_board_part_interfaces -quiet $name]] > 0} {
            return $name
        }
    }
    fail "the board file has none of these interfaces: $names"
}

# Makes a bus of a cell external as an interface of the board. Fails rather than leave it open.
proc to_board {interface bus diagram} {
    apply_board_connection -board_interface $interface -ip_intf $bus -diagram $diagram
    if {[llength [get_bd_intf_nets -quiet -of_objects [get_bd_intf_pins $bus]]] == 0} {
        fail "Vivado did not connect $bus to $interface of the board"
    }
}

# A reset of the board: the property places its pin, the port leads to it.
proc reset_to_board {interface polarity cell property pin} {
    set_property CONFIG.$property $interface [get_bd_cells $cell]
    set port [create_bd_port -dir I -type rst $interface]
    set_property CONFIG.POLARITY $polarity $port
    connect_bd_net $port [get_bd_pins $cell/$pin]
}

# --- PCI Express ---------------------------------------------------------------------------------------

proc make_pcie {diagram} {
    global settings
    cell util_ds_buf refclk {CONFIG.C_BUF_TYPE IBUFDSGTE}
    to_board pcie_refclk refclk/CLK_IN_D $diagram
    cell xdma xdma
    # The board's preset comes first: it must not undo what is set after it.
    to_board pci_express_x8 xdma/pcie_mgt $diagram
    reset_to_board pcie_perstn ACTIVE_LOW xdma SYS_RST_N_BOARD_INTERFACE sys_rst_n
    set_property -dict [concat $settings(xdma) [list \
        CONFIG.functional_mode DMA \
        CONFIG.pl_link_cap_max_link_width X8 \
        CONFIG.pl_link_cap_max_link_speed 8.0_GT/s \
        CONFIG.axi_data_width 256_bit \
        CONFIG.axisten_freq 250 \
        CONFIG.xdma_axi_intf_mm AXI_Stream \
        CONFIG.xdma_rnum_chnl 1 \
        CONFIG.xdma_wnum_chnl 1 \
        CONFIG.xdma_num_usr_irq 1 \
        CONFIG.axilite_master_en true \
        CONFIG.axilite_master_scale Kilobytes \
        CONFIG.axilite_master_size 64 \
        CONFIG.pciebar2axibar_axil_master 0x00000000 \
        CONFIG.axist_bypass_en true \
        CONFIG.axi_bypass_64bit_en true \
        CONFIG.axi_bypass_prefetchable true \
        CONFIG.axist_bypass_scale Megabytes \
        CONFIG.axist_bypass_size 256 \
        CONFIG.pciebar2axibar_axist_bypass 0x0000000000000000 \
        CONFIG.cfg_mgmt_if false \
    ]] [get_bd_cells xdma]
    if {$settings(series) eq "7"} {
        join_pins refclk/IBUF_OUT xdma/sys_clk
    } else {
        join_pins refclk/IBUF_OUT xdma/sys_clk_gt
        join_pins refclk/IBUF_DS_ODIV2 xdma/sys_clk
    }
}

# --- the accelerator, its clock and its reset ----------------------------------------------------------

proc make_accelerator {} {
    global settings
    cell clk_wiz clock [list \
        CONFIG.PRIM_SOURCE No_buffer \
        CONFIG.PRIM_IN_FREQ 250.000 \
        CONFIG.CLKOUT1_REQUESTED_OUT_FREQ $settings(mhz) \
        CONFIG.RESET_TYPE ACTIVE_LOW \
        CONFIG.RESET_PORT resetn \
    ]
    cell proc_sys_reset reset_accelerator
    create_bd_cell -type module -reference $settings(top) accelerator
    join_pins xdma/axi_aclk clock/clk_in1
    join_pins xdma/axi_aresetn clock/resetn reset_accelerator/ext_reset_in
    join_pins clock/locked reset_accelerator/dcm_locked
    join_pins clock/clk_out1 reset_accelerator/slowest_sync_clk accelerator/aclk
    join_pins reset_accelerator/peripheral_aresetn accelerator/aresetn
    join_pins accelerator/request xdma/usr_irq_req
}

proc connect_registers {} {
    # Behind the accelerator's 4 KiB lies the word that empties the streams.
    cell axi_gpio marker {CONFIG.C_GPIO_WIDTH 32 CONFIG.C_ALL_OUTPUTS 1}
    join_pins clock/clk_out1 marker/s_axi_aclk
    join_pins reset_accelerator/peripheral_aresetn marker/s_axi_aresetn
    join_pins marker/gpio_io_o accelerator/marker
    cell smartconnect lite {CONFIG.NUM_SI 1 CONFIG.NUM_MI 2 CONFIG.NUM_CLKS 2}
    join_pins xdma/axi_aclk lite/aclk
    join_pins xdma/axi_aresetn lite/aresetn
    join_pins clock/clk_out1 lite/aclk1
    join_buses xdma/M_AXI_LITE lite/S00_AXI
    join_buses lite/M00_AXI accelerator/s_axil
    join_buses lite/M01_AXI marker/S_AXI
    foreach {bus offset} {accelerator/s_axil 0x0000 marker/S_AXI 0x1000} {
        map_segment [get_bd_addr_spaces xdma/M_AXI_LITE] \
            [get_bd_addr_segs -of_objects [get_bd_intf_pins $bus]] $offset 4K
    }
}

# --- streams: 32 bytes at the host's side, 4 to 32 at the accelerator's ---------------------------------

# The width changes in the clock of PCI Express, so that the narrow side can keep up with any accelerator.
# tkeep marks the end of a frame that does not fill 32 bytes: going down, the words after it are dropped
# and tlast moves to the last one that counts. An accelerator of 32 bytes needs no converter.
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
    cell axis_clock_converter h2c_clock
    clock_side h2c_clock s xdma/axi_aclk xdma/axi_aresetn
    clock_side h2c_clock m clock/clk_out1 reset_accelerator/peripheral_aresetn
    join_buses h2c_clock/M_AXIS accelerator/s_axis

    cell axis_clock_converter c2h_clock
    clock_side c2h_clock s clock/clk_out1 reset_accelerator/peripheral_aresetn
    clock_side c2h_clock m xdma/axi_aclk xdma/axi_aresetn
    join_buses accelerator/m_axis c2h_clock/S_AXIS
    if {$bytes == 32} {
        join_buses xdma/M_AXIS_H2C_0 h2c_clock/S_AXIS
        join_buses c2h_clock/M_AXIS xdma/S_AXIS_C2H_0
    } else {
        width_converter h2c_width 32 $bytes
        join_buses xdma/M_AXIS_H2C_0 h2c_width/S_AXIS
        join_buses h2c_width/M_AXIS h2c_clock/S_AXIS
        width_converter c2h_width $bytes 32
        join_buses c2h_clock/M_AXIS c2h_width/S_AXIS
        join_buses c2h_width/M_AXIS xdma/S_AXIS_C2H_0
    }
}

# --- DRAM: the host through its bypass BAR, and every AXI4 port of the accelerator ----------------------

proc connect_memory {} {
    global settings
    array set dram [dram_pins]
    set masters [concat xdma/M_AXI_BYPASS $settings(memory_ports)]
    cell smartconnect memory [list CONFIG.NUM_SI [llength $masters] CONFIG.NUM_MI 1 CONFIG.NUM_CLKS 3]
    join_pins xdma/axi_aclk memory/aclk
    join_pins xdma/axi_aresetn memory/aresetn
    join_pins $dram(clock) memory/aclk1
    join_pins clock/clk_out1 memory/aclk2
    # The controller's own reset output is active high and lasts until its clock is stable.
    cell proc_sys_reset reset_dram
    join_pins $dram(clock) reset_dram/slowest_sync_clk
    join_pins $dram(reset_out) reset_dram/ext_reset_in
    join_pins reset_dram/peripheral_aresetn $dram(reset_in)
    set number 0
    foreach master $masters {
        join_buses $master [format memory/S%02d_AXI $number]
        incr number
    }
    join_buses memory/M00_AXI $dram(bus)
    set segment [get_bd_addr_segs -of_objects [get_bd_intf_pins $dram(bus)]]
    foreach master $masters {
        map_segment [get_bd_addr_spaces $master] $segment 0x0 [get_property RANGE $segment]
    }
}
