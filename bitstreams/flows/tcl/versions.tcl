# Everything that differs between releases of Vivado, 2018.3 to 2025.x, and nothing else.

set oldest_release 2018.3

# The release as two numbers, "2023.2": updates and patches have suffixes that do not matter here.
proc vivado_release {} {
    if {![regexp {^\d+\.\d+} [version -short] release]} {
        fail "cannot tell which Vivado this is: 'version -short' gives [version -short]"
    }
    return $release
}

proc at_least {release} {
    return [expr {[package vcompare [vivado_release] $release] >= 0}]
}

proc check_release {} {
    if {![at_least $::oldest_release]} {
        fail "this is Vivado [vivado_release], the plan needs $::oldest_release or newer: install a newer one"
    }
    say "TOOL Vivado [version -short]"
}

# 2020.2 raised the limit of threads on Linux from 8 to 32.
proc use_threads {wanted} {
    set most [expr {[at_least 2020.2] ? 32 : 8}]
    set_param general.maxThreads [expr {max(1, min($wanted, $most))}]
}

# 2019.2 renamed the command.
proc open_hardware {} {
    if {[at_least 2019.2]} {
        open_hw_manager
    } else {
        open_hw
    }
}

# Places a slave segment at an address of a master. 2020.1 gave assign_bd_address the options for it.
proc map_segment {space segment offset range} {
    if {[at_least 2020.1]} {
        assign_bd_address -offset $offset -range $range -target_address_space $space $segment -force
    } else {
        set name "SEG_[string map {/ _} [string trimleft $segment /]]"
        create_bd_addr_seg -range $range -offset $offset $space $segment $name
    }
}

# The newest board file that matches. Since 2021.1 not all of them are installed with Vivado.
proc newest_board_part {pattern} {
    set parts [lsort -dictionary [get_board_parts -quiet $pattern]]
    if {[llength $parts] > 0} {
        return [lindex $parts end]
    }
    set remedy "install the board support with Vivado"
    if {[at_least 2021.1]} {
        set remedy "get them with Tools > Vivado Store > Boards, or clone XilinxBoardStore and set board.repoPaths"
    }
    fail "Vivado has no board files that match $pattern: $remedy"
}
