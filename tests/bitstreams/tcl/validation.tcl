# What a block design must be: connected, mapped, and every crossing from one clock to another made by an IP
# that is there for it.

proc validate {} {
    foreach cell [lsort [array names ::kind]] {
        check_connected $cell
        if {$::kind($cell) eq "smartconnect"} { check_smartconnect $cell }
        if {$::kind($cell) eq "axis_dwidth_converter"} { check_widths $cell }
        if {$::kind($cell) eq "xlconcat"} { check_concat $cell }
        if {$::kind($cell) eq "axi_dma"} { check_dma $cell }
        if {[is_processor $cell]} { check_processor $cell }
        if {$::kind($cell) eq "util_vector_logic"} { check_gate $cell }
        if {"$cell/sys_rst" in [array names ::net_of]} { check_button $cell }
    }
    foreach to [lsort [array names ::net_of]] {
        if {![string match *,drives $to]} { check_net $::net_of($to) $to }
    }
    foreach bus [lsort [array names ::bus_of]] { check_bus $bus $::bus_of($bus) }
    check_map
}

proc check_connected {cell} {
    foreach {table found} {ip_pins ::net_of ip_buses ::bus_of} {
        foreach pin [patterns $table $cell] {
            set name $cell/[string trimleft $pin !]
            set connected [expr {[info exists ${found}($name)] || [info exists ${found}($name,drives)]}]
            if {[string match !* $pin] && !$connected} { error "$name is not connected" }
        }
    }
    if {$::kind($cell) eq "xdma"} {
        foreach bus {M_AXIS_H2C S_AXIS_C2H} channels {xdma_rnum_chnl xdma_wnum_chnl} {
            set used [llength [array names ::bus_of $cell/${bus}_*]]
            if {$::properties($cell,CONFIG.$channels) != $used} { error "$cell: $channels is not $used" }
        }
    }
}

proc check_smartconnect {cell} {
    foreach {property pattern} {NUM_SI S*_AXI NUM_MI M*_AXI} {
        set used [llength [array names ::bus_of $cell/$pattern]]
        if {$::properties($cell,CONFIG.$property) != $used} { error "$cell: $property is not $used" }
    }
    set clocks [llength [array names ::net_of $cell/aclk*]]
    if {$::properties($cell,CONFIG.NUM_CLKS) != $clocks} { error "$cell: NUM_CLKS is not $clocks" }
    set sources {}
    foreach pin [array names ::net_of $cell/aclk*] { lappend sources $::net_of($pin) }
    if {[llength [lsort -unique $sources]] != $clocks} { error "$cell has a clock twice" }
}

proc check_gate {cell} {
    set inputs [llength [array names ::net_of $cell/Op?]]
    set wanted [expr {$::properties($cell,CONFIG.C_OPERATION) eq "not" ? 1 : 2}]
    if {$inputs != $wanted} { error "$cell has $inputs inputs, not $wanted" }
}

# A controller is reset while the button is pressed, and not otherwise: polarities are those of the board file.
proc check_button {cell} {
    set wanted $::fake(reset_polarity)
    set driver $::net_of($cell/sys_rst)
    if {[string match */Res $driver]} {
        set wanted [expr {$wanted eq "ACTIVE_LOW" ? "ACTIVE_HIGH" : "ACTIVE_LOW"}]
        set driver $::net_of([lindex [split $driver /] 0]/Op1)
    }
    if {$driver ni $::ports || $::properties($driver,CONFIG.POLARITY) ne $::fake(button_polarity)} {
        error "$driver is no button that is $::fake(button_polarity)"
    }
    if {$wanted ne $::fake(button_polarity)} { error "$cell is in reset while nobody presses $driver" }
}

# A narrow side of a power of two of bytes, and a wide one; converters of equal sides are for nothing.
proc check_widths {cell} {
    foreach side {S M} { set $side $::properties($cell,CONFIG.${side}_TDATA_NUM_BYTES) }
    if {$S == $M || $S % $M && $M % $S} { error "$cell cannot convert $S to $M bytes" }
}

# --- clocks --------------------------------------------------------------------------------------------

# Where the clock of a pin or bus of a cell comes from: the pin that makes it, "" for what has none.
proc clock_of {name} {
    lassign [split $name /] cell pin
    if {![info exists ::kind($cell)]} { return "" }
    foreach {clock moved} $::ip_clocks($::kind($cell)) {
        foreach pattern $moved {
            if {[string match $pattern $pin]} { return [source_of $cell/$clock] }
        }
    }
    return ""
}

proc source_of {clock} {
    return [expr {[info exists ::net_of($clock)] ? $::net_of($clock) : $clock}]
}

proc is_among {table name} {
    upvar #0 $table names
    lassign [split $name /] cell pin
    return [expr {[info exists ::kind($cell)] && [info exists names($::kind($cell))]
        && $pin in $names($::kind($cell))}]
}

proc is_clock {name} {
    lassign [split $name /] cell pin
    if {![info exists ::kind($cell)]} { return 0 }
    foreach {clock -} $::ip_clocks($::kind($cell)) {
        if {[string match $clock $pin]} { return 1 }
    }
    return 0
}

proc check_net {from to} {
    if {$to in $::ports} { return }
    if {[is_clock $to] || [is_among ip_asynchronous $to] || [is_among ip_constant $from]} { return }
    set ours [clock_of $from]
    set theirs [clock_of $to]
    if {$ours eq "" || $ours ne $theirs} { error "$from ($ours) reaches $to ($theirs) without a synchroniser" }
}

# Clocks of the side of a bus: of a smartconnect all that it has.
proc clocks_of {bus} {
    set cell [lindex [split $bus /] 0]
    if {[info exists ::kind($cell)] && $::kind($cell) eq "smartconnect"} {
        set found {}
        foreach pin [array names ::net_of $cell/aclk*] { lappend found $::net_of($pin) }
        return $found
    }
    set clock [clock_of $bus]
    return [expr {$clock eq "" ? {} : [list $clock]}]
}

proc check_bus {bus other} {
    set ours [clocks_of $bus]
    if {![string match */* $other] || $ours eq ""} { return }
    foreach clock [clocks_of $other] {
        if {$clock in $ours} { return }
    }
    error "$bus ($ours) and $other ([clocks_of $other]) have no clock in common"
}

# --- addresses -----------------------------------------------------------------------------------------

proc bytes_of {range} {
    regexp {^(\w+?)([KMG]?)$} $range -> number unit
    return [expr {$number * [dict get {"" 1 K 1024 M 1048576 G 1073741824} $unit]}]
}

proc map_in {space segment offset range} {
    set bytes [bytes_of $range]
    if {$bytes & ($bytes - 1)} { error "$segment: a range of $bytes bytes is no power of two" }
    if {$offset % $bytes} { error "$segment: $offset is no multiple of its range, $bytes" }
    foreach {other - from size} $::mapped {
        if {$other eq $space && $offset < $from + $size && $from < $offset + $bytes} {
            error "$segment overlaps another one in $space"
        }
    }
    lappend ::mapped $space $segment $offset $bytes
}

# Every manager, what it can reach through the crossbars, and whether that is mapped.
proc check_map {} {
    foreach bus [lsort [array names ::bus_of]] {
        lassign [split $bus /] cell pin
        if {![regexp {^(M_AXI_|m_axi|m_load)} $pin] || $pin eq "m_axis" || $::kind($cell) eq "smartconnect"} continue
        set space /$cell/[expr {$::kind($cell) eq "axi_dma" ? [string map {M_AXI Data} $pin] : $pin}]
        if {[is_processor $cell]} { set space /$cell/Data }
        foreach slave [reached $::bus_of($bus)] {
            set found 0
            foreach {other segment - -} $::mapped {
                if {$other eq $space && $segment eq "/$slave/segment"} { set found 1 }
            }
            if {!$found} { error "$bus has no address for $slave" }
        }
    }
}

proc reached {bus} {
    lassign [split $bus /] cell pin
    if {$::kind($cell) ne "smartconnect"} { return [list $bus] }
    set found {}
    foreach out [lsort [array names ::bus_of $cell/M*_AXI]] {
        lappend found {*}[reached $::bus_of($out)]
    }
    return $found
}

# For the record: every memory port of the accelerator, its bits, and the controllers it reaches.
proc ports_of_memory {} {
    set found {}
    foreach bus [lsort [array names ::bus_of accelerator/m_axi*]] {
        if {$bus eq "accelerator/m_axis"} continue
        lappend found $bus $::width_of($bus) [reached $::bus_of($bus)]
    }
    return $found
}
