// A virtual card: the Verilated module in its wrapper for PCI Express, behind sockets that stand for the
// devices of AMD's driver (bitstreams/links/xdma_devices.py opens them).
//
//     simulator --prefix PATH [--stats FILE [--stats-period SECONDS]] [--parent PID] [--most-hz HZ]
//               [--memory-latency N] ...
//
// The sockets are PATH_user, PATH_h2c_0 and so on; the first line on stdout is PATH. --most-hz: rate of the
// simulated clock at most. Options of the memory are the fields of Conditions in memory.h. Ends with code 0 on
// SIGINT, SIGTERM and SIGHUP, and when the process PID is no longer its parent; with code 1 when the design ends
// the simulation or something fails.

#include <cstdio>
#include <fcntl.h>
#include <stdexcept>
#include <string>

#include "card.h"
#include "program.h"

namespace {

int run(const Options& options) {
    const std::string prefix = options.text("prefix");
    const std::size_t cut = prefix.rfind('/');
    if (cut == std::string::npos || cut + 1 == prefix.size())
        throw std::invalid_argument{"--prefix must be a folder and a name in it"};
    const int folder = open(prefix.substr(0, cut + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) fail("cannot open the folder of " + prefix);

    const ClockLimit limit{static_cast<double>(options.number("most-hz"))};
    Card card{folder, prefix.substr(cut + 1), limit, conditions(options)};
    std::printf("%s\n", prefix.c_str());
    std::fflush(stdout);
    return serve(card, options);
}

}  // namespace

int main(int argc, char** argv) { return program(argc, argv, run); }
