// The control port: reads and writes of the host, one after the other, by AXI4-Lite.
#pragma once

#include <cstdint>

#include "Vtop.h"

class Control {
public:
    static constexpr std::uint32_t kNoAnswer = 0xFFFFFFFF;  // what a host reads where a board refuses

    explicit Control(Vtop& top) : top_{top} {
        top_.s_axil_wstrb = 0b1111;
        top_.s_axil_rready = top_.s_axil_bready = 1;
    }

    bool busy() const { return busy_; }
    std::uint32_t value() const { return value_; }

    void read(std::uint32_t address) {
        top_.s_axil_araddr = address;
        top_.s_axil_arvalid = 1;
        busy_ = true;
    }

    void write(std::uint32_t address, std::uint32_t value) {
        top_.s_axil_awaddr = address;
        top_.s_axil_wdata = value;
        top_.s_axil_awvalid = top_.s_axil_wvalid = 1;
        busy_ = true;
    }

    // Before the rising edge: what it will transfer.
    void sample() {
        address_ = top_.s_axil_awvalid && top_.s_axil_awready;
        word_ = top_.s_axil_wvalid && top_.s_axil_wready;
        asked_ = top_.s_axil_arvalid && top_.s_axil_arready;
        if (top_.s_axil_rvalid) {
            value_ = top_.s_axil_rresp ? kNoAnswer : top_.s_axil_rdata;
            busy_ = false;
        }
        if (top_.s_axil_bvalid) busy_ = false;  // writes are posted: an error stays unseen
    }

    // After it.
    void drive() {
        if (address_) top_.s_axil_awvalid = 0;
        if (word_) top_.s_axil_wvalid = 0;
        if (asked_) top_.s_axil_arvalid = 0;
    }

private:
    Vtop& top_;
    bool busy_ = false, address_ = false, word_ = false, asked_ = false;
    std::uint32_t value_ = 0;
};
