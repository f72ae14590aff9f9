# What every script of this plan uses: words to the host, errors, and the state of the design in memory.

# A line that the host's progress display understands.
proc say {words} {
    puts "SPEC2 $words"
    flush stdout
}

# Ends the run; the host shows the message as its own.
proc fail {message} {
    say "FAIL $message"
    exit 1
}

# Worst slack in ns over setup (max) or hold (min) paths. No timed path at all is a missing clock, not a
# met constraint.
proc worst_slack {delay_type} {
    set slack ""
    set paths [get_timing_paths -delay_type $delay_type -max_paths 1]
    if {[llength $paths] > 0} {
        set slack [get_property SLACK [lindex $paths 0]]
    }
    if {![regexp {^-?[0-9.]+$} $slack]} {
        fail "no $delay_type path is timed: a clock constraint is missing"
    }
    return $slack
}

# A number from the table of report_route_status; 0 for a row that Vivado left out.
proc route_count {report row} {
    if {[regexp "# of $row\[ .\]*:\\s*(\\d+)" $report -> count]} {
        return $count
    }
    return 0
}

# Whether the design is completely routed; otherwise ends the run.
proc check_routes {report} {
    if {![string match "*# of routable nets*" $report]} {
        fail "the route status could not be read: see reports/route_status.rpt"
    }
    set bad [expr {[route_count $report "unrouted nets"] + [route_count $report "nets with routing errors"]}]
    if {$bad > 0} {
        fail "$bad nets are not routed: see reports/route_status.rpt, lower the clock or the design's size"
    }
}

# Negative slack ends the run, unless it was allowed.
proc check_slack {allow} {
    foreach {delay_type kind} {max setup min hold} {
        set slack [worst_slack $delay_type]
        say "SLACK $kind $slack"
        if {$slack >= 0} {
            continue
        }
        if {!$allow} {
            fail "timing is missed, $kind slack is $slack ns: lower the clock, or pass --allow-timing-fail"
        }
        say "MISSED $kind $slack"
    }
}
