# Synthesis of the accelerator behind a serial line: plain Verilog, no IP.

source verilog.tcl

proc stage_synth {} {
    global settings
    create_project -in_memory -part $settings(part)
    read_verilog [with_image_paths $settings(verilog)]
    read_xdc $settings(constraints)
    synth_design -top $settings(top) -part $settings(part)
}
