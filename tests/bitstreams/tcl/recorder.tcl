# Stands in for Vivado under a plain Tcl interpreter:
#
#   tclsh recorder.tcl FAKES RECORD SCRIPT [ARGUMENT ...]
#
# Knows the commands and options of Vivado that the plans use, and no others: a command or an option that is
# not here fails. FAKES sets what Vivado would answer; every call becomes a record of RECORD: words with
# \x1f between them, \x1e after the last. Vivado's interpreter is Tcl 8.5, so what 8.6 added is taken away.

set recorder_folder [file dirname [file normalize [info script]]]

array set fake {
    version 2023.2
    setup_slack 0.5
    hold_slack 0.05
    unrouted 0
    route_errors 0
    timed 1
    synthesis_progress 100%
    board_parts {}
    interfaces {}
    button_polarity ACTIVE_HIGH
    reset_polarity ACTIVE_HIGH
    memory_comes_along 1
    memory_clock_comes_along 1
    description 1
    devices {}
    server 1
    done 1
    cfgmem_parts {}
}

lassign $argv fakes_file record_file script
set record [open $record_file w]
source $fakes_file
set argv [lrange $argv 3 end]

foreach name {lmap try throw tailcall yield yieldto coroutine zlib oo::class} {
    catch {rename $name {}}
}

proc unknown {name args} {
    error "there is no command '$name' in Vivado (or the recorder does not know it)"
}

proc note {args} { puts -nonewline $::record "[join $args \x1f]\x1e" }

# Defines a command: options without and with a value, how many positional arguments, what it does.
# In the body, `opt` holds the options and `args` the positional arguments.
proc command {name flags valued least most body} {
    proc $name args [string map [list @NAME $name @FLAGS $flags @VALUED $valued @LEAST $least @MOST $most] {
        note @NAME {*}$args
        array set opt {}
        set rest {}
        for {set i 0} {$i < [llength $args]} {incr i} {
            set word [lindex $args $i]
            if {$word in {@FLAGS}} {
                set opt($word) 1
            } elseif {$word in {@VALUED}} {
                set opt($word) [lindex $args [incr i]]
            } elseif {[regexp {^-[a-z]} $word]} {
                error "@NAME has no option $word"
            } else {
                lappend rest $word
            }
        }
        set args $rest
        if {[llength $args] < @LEAST || (@MOST >= 0 && [llength $args] > @MOST)} {
            error "@NAME takes @LEAST to @MOST arguments, not [llength $args]"
        }
    }]$body
}

# Whether the Vivado that is played is this release or a newer one.
proc release_is {release} {
    regexp {^\d+\.\d+} $::fake(version) played
    return [expr {[package vcompare $played $release] >= 0}]
}

proc must_exist {files} {
    foreach file $files {
        if {![file isfile $file]} {
            error "no such file: $file"
        }
    }
}

proc touch {name {text ""}} {
    set file [open $name w]
    puts -nonewline $file $text
    close $file
}

# --- project, sources, synthesis -----------------------------------------------------------------------

set project ""
set design ""
array set properties {}

command version {-short} {} 0 0 { return $::fake(version) }
command set_param {} {} 2 2 { set ::param([lindex $args 0]) [lindex $args 1] }
command get_param {} {} 1 1 { return $::param([lindex $args 0]) }
command create_project {-in_memory -force} {-part} 0 2 {
    if {![info exists opt(-part)]} { error "create_project without a part" }
    if {[llength $args] == 2} { file mkdir [lindex $args 1] }
    set ::project [expr {[info exists opt(-in_memory)] ? "in memory" : "on disk"}]
}
command current_project {-quiet} {} 0 0 { return project }
command current_fileset {-quiet} {} 0 0 { return sources_1 }
command current_design {-quiet} {} 0 0 {
    if {$::design eq ""} { error "there is no open design" }
    return design
}
command read_verilog {-sv} {} 1 1 { need_project; must_exist [lindex $args 0]; lappend ::sources {*}[lindex $args 0] }
command read_xdc {-unmanaged} {} 1 1 { need_project; must_exist [lindex $args 0]; lappend ::constraint_files {*}[lindex $args 0] }
command add_files {-norecurse} {-fileset} 1 1 {
    need_project
    must_exist [lindex $args 0]
    if {[info exists opt(-fileset)]} {
        lappend ::constraint_files {*}[lindex $args 0]
    } else {
        lappend ::sources {*}[lindex $args 0]
    }
}
command update_compile_order {} {-fileset} 0 0 { need_project }
command synth_design {} {-top -part -flatten_hierarchy} 0 0 {
    need_project
    must_be_module $opt(-top)
    set ::design synthesised
    read_constraints
}
command launch_runs {} {-jobs -to_step} 1 -1 { need_project; set ::launched [lindex $args 0] }
command wait_on_run {} {} 1 1 {}
command get_runs {} {} 1 1 { return [lindex $args 0] }
command open_run {} {-name} 1 1 {
    if {$::launched ne [lindex $args 0]} { error "the run was not launched" }
    set ::design synthesised
    read_constraints
}

proc need_project {} {
    if {$::project eq ""} { error "there is no open project" }
}

proc must_be_module {name} {
    foreach source $::sources {
        set file [open $source]
        set text [read $file]
        close $file
        if {[regexp "\\mmodule\\s+\\\\?$name\\s*\[(#\]" $text]} { return $source }
    }
    error "no source has a module $name"
}

# Constraints are Tcl, read when a design opens.
proc read_constraints {} {
    foreach file $::constraint_files { uplevel #0 [list source $file] }
}
set sources {}
set constraint_files {}

# --- constraints ----------------------------------------------------------------------------------------

command get_ports {-quiet} {} 0 1 { return [lindex $args 0] }
command get_pins {-quiet -hierarchical} {-filter -of_objects} 0 1 { return [lindex $args 0] }
command get_nets {-quiet -hierarchical} {-filter -of_objects} 0 1 { return [lindex $args 0] }
command get_cells {-quiet -hierarchical} {-filter -of_objects} 0 1 { return [lindex $args 0] }
command get_clocks {-quiet -include_generated_clocks} {-of_objects} 0 1 { return [lindex $args 0] }
command all_inputs {} {} 0 0 { return inputs }
command create_clock {-add} {-name -period -waveform} 0 1 {}
command set_false_path {-setup -hold} {-from -to -through} 0 0 {}
command set_max_delay {-datapath_only} {-from -to} 1 1 {}
command set_input_delay {-max -min} {-clock} 2 2 {}
command set_output_delay {-max -min} {-clock} 2 2 {}
command set_clock_groups {-asynchronous} {-name -group} 0 0 {}
command set_input_jitter {} {} 2 2 {}

# --- properties -----------------------------------------------------------------------------------------

command set_property {} {-dict} 0 3 {
    # Options of set_property are told from values by place, not by name.
    if {[info exists opt(-dict)]} {
        set values $opt(-dict)
        set objects [lindex $args 0]
    } else {
        set values [lrange $args 0 1]
        set objects [lindex $args 2]
    }
    if {[llength $values] % 2} { error "set_property needs pairs: $values" }
    if {$objects eq ""} { error "set_property of nothing: $values" }
    foreach object $objects {
        foreach {name value} $values {
            if {[info exists ::kind($object)]} { check_parameter $object $name $value }
            set ::properties($object,$name) $value
        }
    }
}
command get_property {-quiet} {} 2 2 {
    lassign $args name object
    switch -glob $name,$object {
        SLACK,max { return $::fake(setup_slack) }
        SLACK,min { return $::fake(hold_slack) }
        PROGRESS,* { return $::fake(synthesis_progress) }
        PART,* { return [lindex [split $object _] 0] }
        REGISTER.CONFIG_STATUS.BIT14_DONE_PIN,* { return $::fake(done) }
        PROGRAM.HW_CFGMEM_BITFILE,* { return helper.bit }
    }
    return $::properties($object,$name)
}

# --- implementation -------------------------------------------------------------------------------------

proc advance {from to} {
    if {$::design ni $from} { error "a design that is '$::design' cannot become '$to'" }
    set ::design $to
}
command opt_design {} {-directive} 0 0 { advance synthesised optimised }
command place_design {} {-directive} 0 0 { advance optimised placed }
command phys_opt_design {} {-directive} 0 0 { advance {placed routed} $::design }
command route_design {} {-directive} 0 0 { advance placed routed }
command write_checkpoint {-force} {} 1 1 { touch [lindex $args 0] $::design }
command open_checkpoint {} {} 1 1 {
    must_exist [lindex $args 0]
    set file [open [lindex $args 0]]
    set ::design [read $file]
    close $file
}
command get_timing_paths {-quiet} {-delay_type -max_paths -nworst} 0 0 {
    return [expr {$::fake(timed) ? $opt(-delay_type) : ""}]
}
command report_timing_summary {-report_unconstrained} {-delay_type -max_paths -file} 0 0 { touch $opt(-file) }
command report_utilization {-hierarchical} {-file} 0 0 { touch $opt(-file) }
command report_drc {} {-file} 0 0 { touch $opt(-file) }
command report_methodology {} {-file} 0 0 { touch $opt(-file) }
command report_clocks {} {-file} 0 0 { touch $opt(-file) }
command report_clock_interaction {-setup -hold -no_header -append -return_string -quiet -verbose} {
    -from -to -delay_type -significant_digits -file -name -cells
} 0 0 { touch $opt(-file) }
command report_cdc {
    -details -summary -all_checks_per_endpoint -no_header -show_waiver -no_waiver -waived -append -return_string
    -quiet -verbose
} {-from -to -cells -severity -file -name} 0 0 { touch $opt(-file) }
command report_route_status {-return_string} {-file} 0 0 {
    set text [format {Design Route Status
                                               :      # nets :
   ------------------------------------------- : ----------- :
   # of logical nets.......................... :        1200 :
       # of routable nets..................... :        1000 :
           # of unrouted nets................. : %11d :
           # of fully routed nets............. :         900 :
       # of nets with routing errors.......... : %11d :
} $::fake(unrouted) $::fake(route_errors)]
    if {[info exists opt(-file)]} { touch $opt(-file) $text }
    return $text
}
command write_bitstream {-force} {} 1 1 { advance routed routed; touch [lindex $args 0] }
command write_cfgmem {-force} {-format -interface -size -loadbit -file} 0 0 {
    must_exist [lindex $opt(-loadbit) 2]
    set name [file rootname $opt(-file)]
    foreach suffix [expr {$opt(-interface) eq "SPIx8" ? {_primary _secondary} : {{}}}] {
        touch $name$suffix.mcs
    }
}

source $recorder_folder/block.tcl
source $recorder_folder/hardware.tcl

# --- run ------------------------------------------------------------------------------------------------

if {[catch {source $script} message options]} {
    puts stderr [dict get $options -errorinfo]
    exit 99
}
