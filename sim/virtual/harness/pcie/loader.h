// AMD's AXI DMA between a pair of streams and memory, as a host sees it (PG021, direct register mode).
//
// A transfer takes no clocks here. What is kept: a transfer begins when its length is written, bytes that come
// before wait, a frame that is longer than it ends it with an error, a shorter one with its own length.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>

#include "channel.h"
#include "memory.h"

class Loader {
public:
    Loader(Store& store, std::uint64_t size, const Conditions& conditions)
        : store_{store}, size_{size}, pace_{conditions, kNumber} {}

    std::uint32_t read(std::uint32_t address) const {
        const Direction& d = direction(address);
        switch (address % kToMemory) {
            case kControl: return d.control;
            case kStatus: return d.status;
            case kAddress: return static_cast<std::uint32_t>(d.address);
            case kAddress + 4: return static_cast<std::uint32_t>(d.address >> 32);
            case kLength: return d.length;
        }
        return 0;
    }

    void write(std::uint32_t address, std::uint32_t value) {
        Direction& d = direction(address);
        switch (address % kToMemory) {
            case kControl:
                // Either bit resets both directions.
                if (value & kReset) to_memory_ = from_memory_ = Direction{};
                else {
                    d.control = value & kRun;
                    if (d.control) d.status &= ~kHalted;
                }
                break;
            case kAddress: d.address = (d.address & ~kLow) | value; break;
            case kAddress + 4: d.address = (d.address & kLow) | std::uint64_t{value} << 32; break;
            case kLength: begin(d, value); break;
        }
        go_on();
    }

    // A frame from the host.
    void take(Frame frame) {
        frames_.push_back(std::move(frame));
        go_on();
    }

    // A frame for the host; false where there is none.
    bool give(Frame& frame) {
        if (answers_.empty()) return false;
        frame = std::move(answers_.front());
        answers_.pop_front();
        return true;
    }

    void put_back(Frame frame) { answers_.push_front(std::move(frame)); }

private:
    static constexpr unsigned kNumber = 63;  // of its dice
    static constexpr std::uint64_t kLow = 0xFFFFFFFF;
    static constexpr std::uint32_t kToMemory = 0x30, kControl = 0x00, kStatus = 0x04, kAddress = 0x18, kLength = 0x28;
    static constexpr std::uint32_t kRun = 1, kReset = 4;
    static constexpr std::uint32_t kHalted = 1, kIdle = 2, kInternal = 1 << 4, kSlave = 1 << 5, kDecode = 1 << 6;

    struct Direction {
        std::uint32_t control = 0, status = kHalted, length = 0;
        std::uint64_t address = 0;
        bool moving = false;
    };

    Direction& direction(std::uint32_t address) { return address >= kToMemory ? to_memory_ : from_memory_; }
    const Direction& direction(std::uint32_t address) const { return const_cast<Loader*>(this)->direction(address); }

    void begin(Direction& d, std::uint32_t length) {
        if (!d.control || d.status & kHalted || !length) return;
        d.length = length;
        d.status &= ~kIdle;
        d.moving = true;
        if (length > size_ || d.address > size_ - length) end(d, kDecode);
        else if (pace_.fails()) end(d, kSlave);
    }

    // With an error the direction halts, and wants a reset.
    static void end(Direction& d, std::uint32_t error) {
        d.moving = false;
        d.status |= error ? error | kHalted : kIdle;
        if (error) d.control = 0;
    }

    void go_on() {
        if (from_memory_.moving) {
            Frame frame(from_memory_.length);
            store_.read(from_memory_.address, frame.data(), frame.size());
            answers_.push_back(std::move(frame));
            end(from_memory_, 0);
        }
        if (to_memory_.moving && !frames_.empty()) {
            Direction& d = to_memory_;
            const Frame& frame = frames_.front();
            const std::size_t size = std::min<std::size_t>(frame.size(), d.length);
            store_.write(d.address, frame.data(), size);
            d.length = static_cast<std::uint32_t>(size);
            end(d, frame.size() > size ? kInternal : 0);
            frames_.pop_front();
        }
    }

    Store& store_;
    std::uint64_t size_;
    Pace pace_;
    Direction to_memory_, from_memory_;
    std::deque<Frame> frames_, answers_;
};
