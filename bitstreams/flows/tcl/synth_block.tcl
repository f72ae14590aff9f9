# Synthesis of the accelerator in a block design: a project on disk, because block designs need one.

source verilog.tcl
source block.tcl

proc stage_synth {} {
    global settings
    file delete -force project
    create_project spec2 project -part $settings(part) -force
    set_property board_part [newest_board_part $settings(board_part)] [current_project]
    add_files -norecurse [with_image_paths $settings(verilog)]
    foreach name $settings(constraints) {
        add_files -fileset constrs_1 -norecurse [list [file normalize $name]]
    }
    update_compile_order -fileset sources_1
    set top [build_block spec2_block]
    set_property top $top [current_fileset]
    update_compile_order -fileset sources_1
    # The vendor's blocks are synthesised on their own, in runs that Vivado starts first.
    launch_runs synth_1 -jobs [get_param general.maxThreads]
    wait_on_run synth_1
    if {[get_property PROGRESS [get_runs synth_1]] ne "100%"} {
        fail "synthesis failed: see project/spec2.runs"
    }
    open_run synth_1
}
