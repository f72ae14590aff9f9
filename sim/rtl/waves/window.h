// In front of cocotb's program: waves are written in a window of time alone, +waves_from=NS to +waves_to=NS,
// the last one not included. Without +waves_to to the end.
#ifndef SPEC2_WINDOW_H
#define SPEC2_WINDOW_H

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "verilated.h"
#include "verilated_fst_c.h"

class WindowedFst final : public VerilatedFstC {
    const uint64_t m_from = argument("waves_from=", 0);
    const uint64_t m_to = argument("waves_to=", ~uint64_t{0});

    static uint64_t argument(const char *name, uint64_t otherwise) {
        const char *const found = Verilated::commandArgsPlusMatch(name);
        // What was found is +name=value, empty without one.
        return *found ? std::strtoull(found + 1 + std::strlen(name), nullptr, 10) : otherwise;
    }

public:
    void dump(uint64_t time) {
        if (m_from <= time && time < m_to) VerilatedFstC::dump(time);
    }
};

#define VerilatedFstC WindowedFst

#endif
