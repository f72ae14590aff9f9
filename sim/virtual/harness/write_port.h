// The write channels of an AXI4 port of a Verilated module (memory.h).
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <vector>

#include "memory.h"
#include "verilated.h"

// Signals of the write channels, by their AXI names. WRITE_SIGNALS(top, m_load) finds them.
template <class Data, class Strobe>
struct WriteSignals {
    CData &awid;
    QData &awaddr;
    CData &awlen, &awsize, &awburst, &awvalid, &awready;
    Data &wdata;
    Strobe &wstrb;
    CData &wlast, &wvalid, &wready, &bid, &bresp, &bvalid, &bready;
};

template <class Data, class Strobe>
WriteSignals(CData&, QData&, CData&, CData&, CData&, CData&, CData&, Data&, Strobe&, CData&, CData&, CData&,
             CData&, CData&, CData&, CData&) -> WriteSignals<Data, Strobe>;

#define WRITE_SIGNALS(top, port)                                                                         \
    WriteSignals {                                                                                       \
        (top).port##_awid, (top).port##_awaddr, (top).port##_awlen, (top).port##_awsize,                 \
        (top).port##_awburst, (top).port##_awvalid, (top).port##_awready, (top).port##_wdata,            \
        (top).port##_wstrb, (top).port##_wlast, (top).port##_wvalid, (top).port##_wready,                \
        (top).port##_bid, (top).port##_bresp, (top).port##_bvalid, (top).port##_bready                   \
    }

// Addresses and beats are taken independently: whichever comes first waits for the other. A burst lies in
// memory, all of it or, where it is answered with an error, none, from before its response.
template <class Data, class Strobe>
class WritePort final : public Port {
public:
    WritePort(Store& store, Region region, const Conditions& conditions, WriteSignals<Data, Strobe> bus,
              unsigned number = 0)
        : Port{store, region, conditions, number}, bus_{bus} {}

    void sample() override {
        steady_.check(bus_.awvalid, bus_.awready, bus_.awaddr << 8 | bus_.awlen);
        if (bus_.awvalid && bus_.awready)
            bursts_.push_back(
                burst(bus_.awaddr, bus_.awlen, bus_.awsize, bus_.awburst, bus_.awid, sizeof(Data)));
        Beat beat{{}, {}, bus_.wlast != 0};
        std::memcpy(beat.bytes.data(), &bus_.wdata, sizeof(Data));
        std::memcpy(beat.strobe.data(), &bus_.wstrb, beat.strobe.size());
        beat_steady_.check(bus_.wvalid, bus_.wready, beat);
        if (bus_.wvalid && bus_.wready) {
            beats_.push_back(beat);
            ++traffic_.beats;
        }
        if (bus_.bvalid && bus_.bready) held_ = false;
        collect();
    }

    void drive() override {
        pace_.tick();
        bus_.awready = bursts_.size() < kDepth && pace_.moves();
        bus_.wready = beats_.size() < kDepth && pace_.moves();
        if (!held_ && !answers_.empty() && pace_.reached(answers_.front().due) && pace_.moves()) {
            bus_.bid = static_cast<CData>(answers_.front().id);
            bus_.bresp = static_cast<CData>(answers_.front().response);
            answers_.pop_front();
            held_ = true;
        }
        bus_.bvalid = held_;
    }

private:
    struct Beat {
        std::array<std::uint8_t, sizeof(Data)> bytes;
        std::array<std::uint8_t, (sizeof(Data) + 7) / 8> strobe;
        bool last;

        bool operator==(const Beat& other) const {
            return bytes == other.bytes && strobe == other.strobe && last == other.last;
        }
    };

    struct Answer {
        unsigned id, response;
        std::uint64_t due;
    };

    // Give beats to the burst that they belong to; end it with its last one.
    void collect() {
        while (!bursts_.empty() && !beats_.empty()) {
            const Burst& burst = bursts_.front();
            whole_.push_back(beats_.front());
            beats_.pop_front();
            if (whole_.back().last != (whole_.size() == burst.beats))
                throw std::runtime_error{"WLAST with another beat than the last one of its burst"};
            if (!whole_.back().last) continue;
            const bool inside = region_.has(burst.address, std::uint64_t{burst.beats} * sizeof(Data));
            const unsigned response = !inside                       ? kDecodeError
                                      : burst.bad != Burst::kNone ? kSlaveError
                                                                    : kOkay;
            if (response) ++traffic_.errors;
            else put(region_.base + burst.address);
            answers_.push_back({burst.id, response, pace_.due()});
            bursts_.pop_front();
            whole_.clear();
        }
    }

    void put(std::uint64_t address) {
        for (const Beat& beat : whole_)
            for (std::size_t i = 0; i < sizeof(Data); ++i, ++address)
                if (beat.strobe[i / 8] >> i % 8 & 1) store_.write(address, &beat.bytes[i], 1);
    }

    WriteSignals<Data, Strobe> bus_;
    std::deque<Burst> bursts_;
    std::deque<Beat> beats_;
    std::vector<Beat> whole_;  // of the first burst
    std::deque<Answer> answers_;
    bool held_ = false;  // a response is on offer
    Steady<std::uint64_t> steady_{"AW"};
    Steady<Beat> beat_steady_{"W"};
};
