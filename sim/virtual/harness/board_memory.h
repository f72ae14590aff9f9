// The memories of a board: one store, and a port to it for every one that the module has.
//
// ports.h, which sim/virtual/memory.py writes, names them, each with the region that it sees:
// READ_PORTS(PORT) is PORT(name, base, size) of every port that only reads, HOST_PORTS(PORT) of those through
// which a host reads and writes.
#pragma once

#include <memory>
#include <vector>

#include "memory.h"
#include "ports.h"
#include "read_port.h"
#include "write_port.h"

class BoardMemory {
public:
    template <class Top>
    BoardMemory([[maybe_unused]] Top& top, [[maybe_unused]] const Conditions& conditions) {
#define READS(name, base, size)                                                                          \
    ports_.emplace_back(new ReadPort{store_, {base, size}, conditions, READ_SIGNALS(top, name), count()});
#define WRITES(name, base, size)                                                                         \
    ports_.emplace_back(new WritePort{store_, {base, size}, conditions, WRITE_SIGNALS(top, name), count()});
        READ_PORTS(READS)
        HOST_PORTS(READS)
        HOST_PORTS(WRITES)
#undef READS
#undef WRITES
    }

    Store& store() { return store_; }

    void sample() {
        for (const auto& port : ports_) port->sample();
    }

    void drive() {
        for (const auto& port : ports_) port->drive();
    }

    Traffic traffic() const {
        Traffic sum;
        for (const auto& port : ports_) {
            sum.bursts += port->traffic().bursts;
            sum.beats += port->traffic().beats;
            sum.errors += port->traffic().errors;
        }
        return sum;
    }

private:
    unsigned count() const { return static_cast<unsigned>(ports_.size()); }

    Store store_;
    std::vector<std::unique_ptr<Port>> ports_;
};
