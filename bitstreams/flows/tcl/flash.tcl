# Writes the flash image, so that the device loads the design when power comes on:
#
#   vivado -mode batch -source flash.tcl [-tclargs [--server HOST:PORT] [--target NAME]]
#
# Takes minutes. The mode switches of the board must select this flash.

cd [file dirname [file normalize [info script]]]
source common.tcl
source versions.tcl
source settings.tcl
source hardware.tcl

# One image, or two where a pair of flashes holds half of every byte.
proc images {} {
    set pair {spec2_primary.mcs spec2_secondary.mcs}
    set files [expr {$::settings(flash_interface) eq "SPIx8" ? $pair : "spec2.mcs"}]
    set result {}
    foreach name $files {
        if {![file exists $name]} {
            fail "there is no $name: run build.tcl first"
        }
        lappend result [file normalize $name]
    }
    return $result
}

# Vivado's name of the flash, or the name it knows it under as an alias.
proc flash_part {} {
    foreach name $::settings(flash_parts) {
        set parts [get_cfgmem_parts -quiet $name]
        if {[llength $parts] > 0} {
            return [lindex $parts 0]
        }
    }
    fail "this Vivado knows none of the flashes $::settings(flash_parts)"
}

proc main {arguments} {
    check_release
    set files [images]
    set device [find_device $arguments]
    set flash [create_hw_cfgmem -hw_device $device -mem_dev [flash_part]]
    set_property -dict [list \
        PROGRAM.FILES $files \
        PROGRAM.ADDRESS_RANGE use_file \
        PROGRAM.UNUSED_PIN_TERMINATION pull-none \
        PROGRAM.BLANK_CHECK 0 \
        PROGRAM.ERASE 1 \
        PROGRAM.CFG_PROGRAM 1 \
        PROGRAM.VERIFY 1 \
    ] $flash
    if {[string match BPI* $::settings(flash_interface)]} {
        set_property PROGRAM.BPI_RS_PINS none $flash
    }
    say "STAGE flash"
    # Vivado reaches the flash through a design of its own in the device.
    create_hw_bitstream -hw_device $device [get_property PROGRAM.HW_CFGMEM_BITFILE $device]
    program_hw_devices $device
    program_hw_cfgmem -hw_cfgmem $flash
    # Start the design from the flash, as a power cycle would.
    boot_hw_device $device
    close_hw_target
    say "FINISHED"
}

main $argv
