# Loads spec2.bit into the device, through a hardware server:
#
#   vivado -mode batch -source program.tcl [-tclargs [--server HOST:PORT] [--target NAME]]
#
# The device forgets it with its power.

cd [file dirname [file normalize [info script]]]
source common.tcl
source versions.tcl
source settings.tcl
source hardware.tcl

proc main {arguments} {
    check_release
    if {![file exists spec2.bit]} {
        fail "there is no spec2.bit: run build.tcl first"
    }
    set device [find_device $arguments]
    say "STAGE program"
    set_property PROGRAM.FILE [file normalize spec2.bit] $device
    program_hw_devices $device
    refresh_hw_device $device
    # DONE of the device itself; without it the bitstream was not accepted.
    if {![get_property REGISTER.CONFIG_STATUS.BIT14_DONE_PIN $device]} {
        fail "the device did not start: it was programmed, but its DONE pin stays low"
    }
    close_hw_target
    say "FINISHED"
}

main $argv
