// The master's side of a pseudo-terminal: what a serial adapter is to the board.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <system_error>
#include <termios.h>
#include <unistd.h>

#include "program.h"
#include "uart.h"

class Terminal {
public:
    Terminal() {
        master_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (master_ < 0 || grantpt(master_) || unlockpt(master_)) fail("cannot open a pseudo-terminal");
        fcntl(master_, F_SETFL, fcntl(master_, F_GETFL) | O_NONBLOCK);
        char name[64];
        if (ptsname_r(master_, name, sizeof name)) fail("the pseudo-terminal has no name");
        path_ = name;
        // Raw from the start: bytes of a client that sets nothing come through unchanged, without echo.
        // The settings stay while the master is open. Closing the slave again makes "nobody there" visible.
        const int slave = open_slave();
        if (slave < 0) fail("cannot open " + path_);
        termios settings;
        tcgetattr(slave, &settings);
        cfmakeraw(&settings);
        tcsetattr(slave, TCSANOW, &settings);
        close(slave);
    }

    ~Terminal() { close(master_); }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    const std::string& path() const { return path_; }
    bool connected() const { return connected_; }

    // Take what the client has written, unless `queue` still holds enough: a pipe blocks its writer.
    void read_into(Bytes& queue) {
        if (queue.size() >= kMost) return;
        std::uint8_t part[kMost];
        const ssize_t count = read(master_, part, sizeof part);
        if (count > 0) {
            queue.insert(queue.end(), part, part + count);
            connected_ = true;
        } else if (count < 0 && errno == EIO) {
            // No client has the slave open. What the last one did not fetch is not for the next, unless that
            // one is there before we look.
            if (connected_) discard_unread();
            connected_ = false;
        } else {
            connected_ = true;
        }
    }

    // Give the client what fits of `queue`; returns how many bytes are lost, as on a line nobody listens to.
    std::uint64_t write_from(Bytes& queue) {
        while (connected_ && !queue.empty()) {
            std::uint8_t part[kMost];
            std::size_t size = 0;
            for (auto byte = queue.begin(); byte != queue.end() && size < kMost; ++byte) part[size++] = *byte;
            const ssize_t count = write(master_, part, size);
            if (count <= 0) break;
            queue.erase(queue.begin(), queue.begin() + count);
        }
        std::uint64_t lost = 0;
        while (queue.size() > (connected_ ? kBacklog : 0)) {
            queue.pop_front();
            ++lost;
        }
        return lost;
    }

    // Sleep until the client does something, or a signal comes, or a while has passed.
    void wait(bool writing) const {
        if (connected_) {
            pollfd request{master_, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN), 0};
            poll(&request, 1, kPatienceMs);
        } else {
            // A hung-up terminal is always ready and does not tell when it is opened: look now and then.
            const timespec pause{0, kReopenMs * 1'000'000L};
            nanosleep(&pause, nullptr);
        }
    }

private:
    static constexpr std::size_t kMost = 4096;       // bytes per system call, and waiting for the board
    static constexpr std::size_t kBacklog = 65536;   // bytes kept for a client that does not read
    static constexpr int kPatienceMs = 500;          // bounds how late the end of the parent is seen
    static constexpr int kReopenMs = 20;

    int open_slave() const { return open(path_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK); }

    void discard_unread() const {
        const int slave = open_slave();
        if (slave < 0) return;
        tcflush(slave, TCIFLUSH);
        close(slave);
    }

    int master_;
    std::string path_;
    bool connected_ = false;
};
