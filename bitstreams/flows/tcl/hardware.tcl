# Finds the board's device behind a hardware server.

# Options: --server HOST:PORT (default localhost:3121), --target NAME (part of the cable's name).
proc find_device {arguments} {
    set server localhost:3121
    set wanted *
    foreach {option value} $arguments {
        switch -- $option {
            --server { set server $value }
            --target { set wanted *$value* }
            default { fail "unknown argument $option: there are --server HOST:PORT and --target NAME" }
        }
    }
    open_hardware
    if {[catch {connect_hw_server -url $server} message]} {
        fail "no hardware server answers at $server: start hw_server, or give --server ($message)"
    }
    foreach target [get_hw_targets -quiet $wanted] {
        if {[catch {open_hw_target $target}]} {
            continue
        }
        # Devices are named after their part, without package: xc7vx690t_0.
        foreach device [get_hw_devices -quiet] {
            if {[string match -nocase "[get_property PART $device]*" $::settings(part)]} {
                current_hw_device $device
                refresh_hw_device -update_hw_probes false $device
                return $device
            }
        }
        close_hw_target
    }
    fail "no device like $::settings(part) is on any cable of $server: check power, the cable, --target"
}
