# Builds the plan in this folder:
#
#   vivado -mode batch -source build.tcl [-tclargs [--allow-timing-fail] [--threads N]]
#
# Leaves spec2.bit, a flash image (or spec2.hwh, beside a processor) and reports/. Every stage ends with a checkpoint; a run that was broken
# off goes on after the last one, unless a file of the plan has changed.

set here [file dirname [file normalize [info script]]]
cd $here
source common.tcl
source versions.tcl
source settings.tcl
source synth_$settings(synthesis).tcl

set stages {synth opt place phys_opt route post_route}

# --- the stages: each takes the design in memory one step further -------------------------------------

proc stage_opt {} { opt_design }
proc stage_place {} { place_design -directive Explore }
proc stage_phys_opt {} { phys_opt_design -directive AggressiveExplore }
proc stage_route {} { route_design -directive Explore }
proc stage_post_route {} { phys_opt_design -directive Explore }

# --- checkpoints ---------------------------------------------------------------------------------------

proc checkpoint {stage} {
    return checkpoints/[lsearch $::stages $stage]_$stage.dcp
}

# Checkpoints of another plan must not be gone on from.
proc discard_foreign_checkpoints {} {
    set stamp checkpoints/inputs
    set found {}
    if {[file exists $stamp]} {
        set file [open $stamp]
        set found [string trim [read $file]]
        close $file
    }
    if {$found ne $::settings(inputs)} {
        file delete -force checkpoints
        file mkdir checkpoints
        set file [open $stamp w]
        puts $file $::settings(inputs)
        close $file
    }
}

# Opens the last checkpoint there is; returns the stages that remain.
proc resume {} {
    for {set i [expr {[llength $::stages] - 1}]} {$i >= 0} {incr i -1} {
        set stage [lindex $::stages $i]
        if {[file exists [checkpoint $stage]]} {
            say "RESUME $stage"
            open_checkpoint [checkpoint $stage]
            break
        }
    }
    return [lrange $::stages [expr {$i + 1}] end]
}

# A checkpoint appears under its name only when it is complete.
proc run_stage {stage} {
    say "STAGE $stage"
    set start [clock seconds]
    stage_$stage
    write_checkpoint -force checkpoints/unfinished.dcp
    file rename -force checkpoints/unfinished.dcp [checkpoint $stage]
    say "DONE $stage [expr {[clock seconds] - $start}]"
}

# --- results -------------------------------------------------------------------------------------------

# Returns the route status. Reports come before checks: a failed run is the one that needs them.
proc write_reports {} {
    say "STAGE reports"
    file mkdir reports
    report_timing_summary -delay_type min_max -max_paths 10 -report_unconstrained -file reports/timing.rpt
    report_utilization -file reports/utilization.rpt
    report_utilization -hierarchical -file reports/utilization_hierarchical.rpt
    report_route_status -file reports/route_status.rpt
    report_drc -file reports/drc.rpt
    report_methodology -file reports/methodology.rpt
    report_clocks -file reports/clocks.rpt
    report_clock_interaction -delay_type min_max -file reports/clock_interaction.rpt
    report_cdc -details -file reports/cdc.rpt
    return [report_route_status -return_string]
}

# The bitstream must say how the flash is wired before an image for that flash can be made of it.
proc configure_for_flash {interface} {
    set design [current_design]
    set_property BITSTREAM.GENERAL.COMPRESS TRUE $design
    switch -glob $interface {
        SPIx* {
            set width [string range $interface 4 end]
            set_property BITSTREAM.CONFIG.SPI_BUSWIDTH $width $design
            # Flashes of 32 MB and more take addresses of four bytes (XAPP586, UG570); a pair counts half.
            if {$::settings(flash_mbytes) / ($width == 8 ? 2 : 1) >= 32} {
                set_property BITSTREAM.CONFIG.SPI_32BIT_ADDR YES $design
            }
        }
        BPIx16 { set_property CONFIG_MODE BPI16 $design }
        default { fail "the plan names a flash interface that is not known: $interface" }
    }
}

# A board without a flash of the logic's own is configured by its processor, which wants a description beside.
proc write_products {} {
    global settings
    say "STAGE bitstream"
    if {$settings(flash_interface) eq ""} {
        write_bitstream -force spec2.bit
        write_handoff
        return
    }
    configure_for_flash $settings(flash_interface)
    write_bitstream -force spec2.bit
    say "STAGE flash"
    write_cfgmem -force -format mcs -interface $settings(flash_interface) -size $settings(flash_mbytes) \
        -loadbit "up $settings(flash_offset) spec2.bit" -file spec2.mcs
}

# --- the run -------------------------------------------------------------------------------------------

proc main {arguments} {
    set allow 0
    set threads 8
    while {[llength $arguments] > 0} {
        set arguments [lassign $arguments option]
        switch -- $option {
            --allow-timing-fail { set allow 1 }
            --threads { set arguments [lassign $arguments threads] }
            default { fail "unknown argument $option: there are --allow-timing-fail and --threads N" }
        }
    }
    check_release
    use_threads $threads
    discard_foreign_checkpoints
    file delete -force spec2.bit spec2.hwh {*}[glob -nocomplain spec2*.mcs spec2*.prm] reports
    foreach stage [resume] {
        run_stage $stage
    }
    check_routes [write_reports]
    check_slack $allow
    write_products
    say "FINISHED"
}

main $argv
