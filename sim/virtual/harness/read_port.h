// The read channels of an AXI4 port of a Verilated module (memory.h).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>

#include "memory.h"
#include "verilated.h"

// Signals of the read channels, by their AXI names. READ_SIGNALS(top, m_axi) finds them.
template <class Data>
struct ReadSignals {
    CData &arid;
    QData &araddr;
    CData &arlen, &arsize, &arburst, &arvalid, &arready, &rid;
    Data &rdata;
    CData &rresp, &rlast, &rvalid, &rready;
};

template <class Data>
ReadSignals(CData&, QData&, CData&, CData&, CData&, CData&, CData&, CData&, Data&, CData&, CData&, CData&,
            CData&) -> ReadSignals<Data>;

#define READ_SIGNALS(top, port)                                                                             \
    ReadSignals {                                                                                           \
        (top).port##_arid, (top).port##_araddr, (top).port##_arlen, (top).port##_arsize,                    \
        (top).port##_arburst, (top).port##_arvalid, (top).port##_arready, (top).port##_rid,                 \
        (top).port##_rdata, (top).port##_rresp, (top).port##_rlast, (top).port##_rvalid, (top).port##_rready \
    }

template <class Data>
class ReadPort final : public Port {
public:
    ReadPort(Store& store, Region region, const Conditions& conditions, ReadSignals<Data> bus,
             unsigned number = 0)
        : Port{store, region, conditions, number}, bus_{bus} {}

    void sample() override {
        steady_.check(bus_.arvalid, bus_.arready, bus_.araddr << 8 | bus_.arlen);
        if (bus_.arvalid && bus_.arready)
            bursts_.push_back(
                burst(bus_.araddr, bus_.arlen, bus_.arsize, bus_.arburst, bus_.arid, sizeof(Data)));
        if (bus_.rvalid && bus_.rready) held_ = false;
    }

    void drive() override {
        pace_.tick();
        bus_.arready = bursts_.size() < kDepth && pace_.moves();
        if (!held_ && !bursts_.empty() && pace_.reached(bursts_.front().due) && pace_.moves()) give();
        bus_.rvalid = held_;
    }

private:
    void give() {
        const Burst& burst = bursts_.front();
        const std::uint64_t address = burst.address + std::uint64_t{given_} * sizeof(Data);
        std::array<std::uint8_t, sizeof(Data)> bytes{};
        const bool inside = region_.has(address, sizeof(Data));
        if (inside) store_.read(region_.base + address, bytes.data(), sizeof(Data));
        std::memcpy(&bus_.rdata, bytes.data(), sizeof(Data));
        bus_.rid = static_cast<CData>(burst.id);
        bus_.rresp = !inside ? kDecodeError : given_ == burst.bad ? kSlaveError : kOkay;
        bus_.rlast = given_ + 1 == burst.beats;
        held_ = true;
        ++traffic_.beats;
        if (bus_.rresp) ++traffic_.errors;
        ++given_;
        if (bus_.rlast) {
            bursts_.pop_front();
            given_ = 0;
        }
    }

    ReadSignals<Data> bus_;
    std::deque<Burst> bursts_;
    unsigned given_ = 0;  // beats of the first burst
    bool held_ = false;   // a beat is on offer
    Steady<std::uint64_t> steady_{"AR"};
};
