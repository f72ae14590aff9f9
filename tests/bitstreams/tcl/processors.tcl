# Processors of Zynqs in Vivado's catalog, from PG082 (processing_system7), PG201 (zynq_ultra_ps_e), UG585 and UG1085
# (addresses), and from block designs for a PYNQ-Z2 and a KV260 that others have published.
#
# Ports come and go with parameters; a board's preset sets parameters, also those that were set before it.

array set ip_pins {
    processing_system7 { FCLK_CLK[1-3] }
    zynq_ultra_ps_e { pl_clk[1-3] }
    xlconcat { !dout }
}
array set ip_buses {
    processing_system7 { !DDR !FIXED_IO }
    zynq_ultra_ps_e {}
    xlconcat {}
}

# Of each parameter: what it is without a preset, what the preset of the board makes of it, pins and buses that are
# there while it is 1.
array set ip_switches {
    processing_system7 {
        PCW_EN_CLK0_PORT 1 1 { !FCLK_CLK0 } {}
        PCW_EN_RST0_PORT 1 1 { !FCLK_RESET0_N } {}
        PCW_USE_M_AXI_GP0 1 1 { !M_AXI_GP0_ACLK } { !M_AXI_GP0 }
        PCW_USE_S_AXI_HP0 0 0 { !S_AXI_HP0_ACLK } { !S_AXI_HP0 }
        PCW_USE_FABRIC_INTERRUPT 0 0 {} {}
        PCW_IRQ_F2P_INTR 0 0 { !IRQ_F2P } {}
    }
    zynq_ultra_ps_e {
        PSU__FPGA_PL0_ENABLE 1 1 { !pl_clk0 } {}
        PSU__NUM_FABRIC_RESETS 1 1 { !pl_resetn0 } {}
        PSU__USE__M_AXI_GP0 1 1 { !maxihpm0_fpd_aclk } { !M_AXI_HPM0_FPD }
        PSU__USE__M_AXI_GP1 1 1 { !maxihpm1_fpd_aclk } { !M_AXI_HPM1_FPD }
        PSU__USE__M_AXI_GP2 0 0 { !maxihpm0_lpd_aclk } { !M_AXI_HPM0_LPD }
        PSU__USE__S_AXI_GP2 0 0 { !saxihp0_fpd_aclk } { !S_AXI_HP0_FPD }
        PSU__USE__IRQ0 1 1 { !pl_ps_irq0 } {}
    }
}
array set ip_clocks {
    processing_system7 { FCLK_CLK0 {} M_AXI_GP0_ACLK { M_AXI_GP0 } S_AXI_HP0_ACLK { S_AXI_HP0 } }
    zynq_ultra_ps_e {
        pl_clk0 {} maxihpm0_fpd_aclk { M_AXI_HPM0_FPD } maxihpm1_fpd_aclk { M_AXI_HPM1_FPD }
        saxihp0_fpd_aclk { S_AXI_HP0_FPD }
    }
    xlconcat {}
}
# Interrupts are levels, which the processor's controller samples.
array set ip_asynchronous {
    processing_system7 { IRQ_F2P }
    zynq_ultra_ps_e { pl_ps_irq0 }
    xlconcat { In0 In1 In2 In3 In4 In5 In6 In7 }
}
array set ip_parameters {
    processing_system7 {
        PCW_USE_M_AXI_GP0 {0 1} PCW_USE_S_AXI_HP0 {0 1} PCW_S_AXI_HP0_DATA_WIDTH {32 64}
        PCW_USE_FABRIC_INTERRUPT {0 1} PCW_IRQ_F2P_INTR {0 1} PCW_EN_CLK0_PORT {0 1} PCW_EN_RST0_PORT {0 1}
        PCW_FPGA0_PERIPHERAL_FREQMHZ real
    }
    zynq_ultra_ps_e {
        PSU__USE__M_AXI_GP0 {0 1} PSU__USE__M_AXI_GP1 {0 1} PSU__USE__M_AXI_GP2 {0 1}
        PSU__MAXIGP0__DATA_WIDTH {32 64 128} PSU__USE__S_AXI_GP2 {0 1} PSU__SAXIGP2__DATA_WIDTH {32 64 128}
        PSU__USE__IRQ0 {0 1} PSU__FPGA_PL0_ENABLE {0 1} PSU__NUM_FABRIC_RESETS {0 1 2 3 4}
        PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ real
    }
    xlconcat { NUM_PORTS integer }
}

# Segments behind the ports to memory, and what a port for registers reaches: first and last address.
array set ip_segments {
    processing_system7 { S_AXI_HP0/HP0_DDR_LOWOCM S_AXI_HP0 0x20000000 }
    zynq_ultra_ps_e {
        SAXIGP2/HP0_DDR_LOW S_AXI_HP0_FPD 0x80000000 SAXIGP2/HP0_QSPI S_AXI_HP0_FPD 0x20000000
    }
}
array set ip_ranges {
    processing_system7 { M_AXI_GP0 0x40000000 0x7FFFFFFF }
    zynq_ultra_ps_e { M_AXI_HPM0_FPD 0xA0000000 0xAFFFFFFF }
}

proc is_processor {cell} { return [expr {[info exists ::kind($cell)] && [info exists ::ip_switches($::kind($cell))]}] }

# What is there of a processor, by its parameters, besides what always is: pins or buses.
proc switched {cell what} {
    set found {}
    foreach {name without - pins buses} $::ip_switches($::kind($cell)) {
        set value $without
        if {[info exists ::properties($cell,CONFIG.$name)]} { set value $::properties($cell,CONFIG.$name) }
        if {$value} { lappend found {*}[expr {$what eq "ip_pins" ? $pins : $buses}] }
    }
    return $found
}

command apply_bd_automation {-quiet -verbose} {-rule -config} 1 1 {
    set cell [lindex $args 0]
    set ip $::kind($cell)
    if {![is_processor $cell] || $opt(-rule) ne "xilinx.com:bd_rule:$ip"} { error "$opt(-rule) is no rule for $ip" }
    array set config $opt(-config)
    foreach name [array names config] {
        if {$name ni {make_external apply_board_preset Master Slave}} { error "the rule has no $name" }
    }
    if {![info exists config(apply_board_preset)] || !$config(apply_board_preset)} { return }
    foreach {name - preset - -} $::ip_switches($ip) { set ::properties($cell,CONFIG.$name) $preset }
    if {[info exists config(make_external)]} {
        foreach bus {DDR FIXED_IO} {
            if {[string match *$bus* $config(make_external)]} { make_external $cell/$bus $bus }
        }
    }
}

# Vivado's description of a block design, where its releases leave it.
proc write_description {name} {
    set folder project/spec2.[expr {[release_is 2020.2] ? "gen" : "srcs"}]/sources_1/bd/$name/hw_handoff
    file mkdir $folder
    if {$::fake(description)} { touch $folder/$name.hwh "<EDKSYSTEM/>" }
}

# --- what must hold ------------------------------------------------------------------------------------

proc check_concat {cell} {
    set used [llength [array names ::net_of $cell/In*]]
    if {$::properties($cell,CONFIG.NUM_PORTS) != $used} { error "$cell: NUM_PORTS is not $used" }
}

# A DMA that is joined to the accelerator moves beats as wide, and its port to memory is no narrower.
proc check_dma {cell} {
    if {$::bus_of($cell/M_AXIS_MM2S) ne "accelerator/s_axis"} return
    set bits $::properties($cell,CONFIG.c_m_axis_mm2s_tdata_width)
    if {$bits != 8 * $::width_of(accelerator/s_axis)} { error "$cell: beats of $bits bits do not fit the accelerator" }
    foreach port {c_m_axi_mm2s_data_width c_m_axi_s2mm_data_width} {
        if {$::properties($cell,CONFIG.$port) < $bits} { error "$cell: $port is less than $bits" }
    }
}

# Of every manager of a processor: its windows lie where it reaches. Of every segment: no more than there is.
proc check_processor {cell} {
    foreach {port first last} $::ip_ranges($::kind($cell)) {
        foreach {space segment offset bytes} $::mapped {
            if {$space ne "/$cell/Data"} continue
            if {$offset < $first || $offset + $bytes - 1 > $last} { error "$segment: $offset is not behind $port" }
        }
    }
    foreach {- bus bytes} $::ip_segments($::kind($cell)) {
        foreach {space segment offset size} $::mapped {
            if {$segment eq "/$cell/$bus/segment" && $offset + $size > $bytes} {
                error "$segment has $bytes bytes, not [expr {$offset + $size}]"
            }
        }
        break
    }
}
