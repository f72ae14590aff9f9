# The block design around the accelerator, beside a processor:
#
#   processor --- registers ----- lite -------> s_axil  accelerator, marker, dma
#             <-- memory <------- memory <----- dma --- MM2S stream ---> s_axis  accelerator
#             <-- interrupts <--- sources           <-- S2MM stream ---- m_axis  accelerator
#
# The DMA (PG021, without scatter and gather) moves frames between the processor's memory and the streams, which
# are as wide as its own: nothing lies between it and the accelerator. Addresses are those of processors.py.
#
# Clocks: the processor's, which feeds the clock generator alone, and clock/clk_out1, at which all else runs. The
# processor's ports take that clock, too, and cross to its own inside. Nothing here has a pin of the logic.

proc make_block {diagram} {
    make_processor
    # Vivado knows what it is fed with: of 100 MHz a Kria's PLL makes a little less, which must not be contradicted.
    make_accelerator $::settings(clock) $::settings(reset)
    join_pins clock/clk_out1 $::settings(registers_clock) $::settings(memory_clock)
    make_dma
    connect_registers
    connect_interrupts
}

proc make_processor {} {
    global settings
    cell $settings(processor) processor
    # The board's preset comes first: it must not undo what is set after it.
    apply_bd_automation -rule xilinx.com:bd_rule:$settings(processor) -config $settings(preset) \
        [get_bd_cells processor]
    set_property -dict $settings(options) [get_bd_cells processor]
}

# A crossbar in the one clock there is.
proc crossbar {name managers subordinates} {
    cell smartconnect $name [list CONFIG.NUM_SI $managers CONFIG.NUM_MI $subordinates CONFIG.NUM_CLKS 1]
    join_pins clock/clk_out1 $name/aclk
    join_pins reset_accelerator/peripheral_aresetn $name/aresetn
}

proc make_dma {} {
    global settings
    cell axi_dma dma [list \
        CONFIG.c_include_sg 0 \
        CONFIG.c_sg_include_stscntrl_strm 0 \
        CONFIG.c_sg_length_width $settings(length_bits) \
        CONFIG.c_addr_width $settings(address_bits) \
        CONFIG.c_m_axi_mm2s_data_width $settings(dma_bits) \
        CONFIG.c_m_axis_mm2s_tdata_width $settings(stream_bits) \
        CONFIG.c_mm2s_burst_size 16 \
        CONFIG.c_m_axi_s2mm_data_width $settings(dma_bits) \
        CONFIG.c_s2mm_burst_size 16 \
    ]
    join_pins clock/clk_out1 dma/s_axi_lite_aclk dma/m_axi_mm2s_aclk dma/m_axi_s2mm_aclk
    join_pins reset_accelerator/peripheral_aresetn dma/axi_resetn
    join_buses dma/M_AXIS_MM2S accelerator/s_axis
    join_buses accelerator/m_axis dma/S_AXIS_S2MM
    crossbar memory 2 1
    join_buses dma/M_AXI_MM2S memory/S00_AXI
    join_buses dma/M_AXI_S2MM memory/S01_AXI
    join_buses memory/M00_AXI $settings(memory)
    # The port has other segments (flash, memory on the chip), which nobody here has to reach.
    foreach space {dma/Data_MM2S dma/Data_S2MM} {
        map_segment [get_bd_addr_spaces $space] [get_bd_addr_segs $settings(segment)] 0x0 $settings(bytes)
    }
}

proc connect_registers {} {
    global settings
    cell axi_gpio marker {CONFIG.C_GPIO_WIDTH 32 CONFIG.C_ALL_OUTPUTS 1}
    join_pins clock/clk_out1 marker/s_axi_aclk
    join_pins reset_accelerator/peripheral_aresetn marker/s_axi_aresetn
    join_pins marker/gpio_io_o accelerator/marker
    crossbar lite 1 [expr {[llength $settings(windows)] / 3}]
    join_buses $settings(registers) lite/S00_AXI
    set number 0
    foreach {bus address bytes} $settings(windows) {
        join_buses [format lite/M%02d_AXI $number] $bus
        map_segment [get_bd_addr_spaces processor/Data] \
            [get_bd_addr_segs -of_objects [get_bd_intf_pins $bus]] $address $bytes
        incr number
    }
}

proc connect_interrupts {} {
    global settings
    cell xlconcat sources [list CONFIG.NUM_PORTS [llength $settings(sources)]]
    set number 0
    foreach pin $settings(sources) {
        join_pins $pin sources/In$number
        incr number
    }
    join_pins sources/dout $settings(interrupts)
}

# What PYNQ reads beside the bitstream: Vivado's description of the block design. 2020.2 moved it.
proc write_handoff {} {
    set found [glob -nocomplain project/spec2.gen/sources_1/bd/*/hw_handoff/*.hwh \
        project/spec2.srcs/sources_1/bd/*/hw_handoff/*.hwh]
    if {[llength $found] == 0} {
        fail "Vivado left no description of the block design (.hwh): delete checkpoints/ and build it again"
    }
    file copy -force [lindex $found 0] spec2.hwh
}
