// Bytes to a waveform and back: 8 data bits, no parity, one stop bit, every bit `clocks` clocks long.
#pragma once

#include <cstdint>
#include <deque>

using Bytes = std::deque<std::uint8_t>;

// Drives a line with the bytes of a queue, back to back.
class Sender {
public:
    explicit Sender(unsigned clocks) : clocks_{clocks} {}

    // The line's level in the next clock.
    bool clock(Bytes& queue) {
        if (bits_ == 0) {
            if (queue.empty()) return true;
            frame_ = 0x200u | unsigned{queue.front()} << 1;  // stop bit, data, start bit in bit 0
            queue.pop_front();
            bits_ = 10;
            left_ = clocks_;
        }
        const bool level = frame_ & 1;
        if (--left_ == 0) {
            frame_ >>= 1;
            --bits_;
            left_ = clocks_;
        }
        return level;
    }

    bool idle() const { return bits_ == 0; }

private:
    unsigned clocks_;
    unsigned frame_ = 0;  // what is still to send, the current bit lowest
    unsigned bits_ = 0;
    unsigned left_ = 0;  // clocks of the current bit
};

// Watches a line and collects the bytes on it. A byte without its stop bit is counted and dropped.
class Receiver {
public:
    explicit Receiver(unsigned clocks) : clocks_{clocks} {}

    // Look at the line's level in one clock.
    void clock(bool level, Bytes& queue) {
        if (bits_ == 0) {
            if (broken_ || level) {
                broken_ = broken_ && !level;
                return;
            }
            bits_ = 10;
            left_ = clocks_ / 2 + 1;  // to the middle of the start bit, whose first clock this is
            frame_ = 0;
        }
        if (--left_ != 0) return;
        left_ = clocks_;
        frame_ = frame_ >> 1 | unsigned{level} << 9;
        if (bits_-- == 10 && level) {
            bits_ = 0;  // too short for a start bit
        } else if (bits_ == 0) {
            if (level) {
                queue.push_back(static_cast<std::uint8_t>(frame_ >> 1));
            } else {
                broken_ = true;  // until the line is high again
                ++errors_;
            }
        }
    }

    bool idle() const { return bits_ == 0; }
    std::uint64_t errors() const { return errors_; }

private:
    unsigned clocks_;
    unsigned frame_ = 0;  // the bits seen so far, the latest in bit 9
    unsigned bits_ = 0;   // still to come, the current one included
    unsigned left_ = 0;
    bool broken_ = true;  // a line that was never high cannot start a byte
    std::uint64_t errors_ = 0;
};
