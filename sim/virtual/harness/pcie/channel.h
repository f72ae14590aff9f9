// The devices of a virtual card: sockets that stand where the driver of a real one has character devices.
//
// SOCK_SEQPACKET keeps frames apart as the driver does: a write is a frame, a read gives one. One client at a
// time has a channel; another that connects is sent away.
#pragma once

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

#include "program.h"

using Frame = std::vector<std::uint8_t>;

class Channel {
public:
    // The socket `name` in the open directory `folder`; the path by which it is bound stays short that way.
    Channel(int folder, const std::string& name) : folder_{folder}, name_{name} {
        listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = "/proc/self/fd/" + std::to_string(folder) + "/" + name;
        if (listener_ < 0 || path.size() >= sizeof address.sun_path) fail("cannot make the socket " + name);
        path.copy(address.sun_path, path.size());
        unlinkat(folder, name.c_str(), 0);
        if (bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) || listen(listener_, 4))
            fail("cannot make the socket " + name);
    }

    ~Channel() {
        if (client_ >= 0) close(client_);
        close(listener_);
        unlinkat(folder_, name_.c_str(), 0);
    }

    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    bool connected() const { return client_ >= 0; }

    // File descriptors to sleep on.
    int listener() const { return listener_; }
    int client() const { return client_; }

    // See who comes and goes. What a client has sent before it went comes first: who connects waits for that.
    void look() {
        if (connected() && hung_up()) {
            if (!gone()) return;
            leave();
        }
        const int file = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (file < 0) return;
        if (connected()) close(file);
        else client_ = file;
    }

    // The next frame of the client; false where there is none.
    bool receive(Frame& frame) {
        if (!connected()) return false;
        frame.resize(kMost);
        const ssize_t size = recv(client_, frame.data(), frame.size(), 0);
        if (size > 0) {
            frame.resize(static_cast<std::size_t>(size));
            return true;
        }
        if (size == 0 || (errno != EAGAIN && errno != EINTR)) leave();
        return false;
    }

    // Give the client a frame; false where it has no room, or nobody is there.
    bool send(const Frame& frame) {
        if (!connected()) return false;
        if (::send(client_, frame.data(), frame.size(), MSG_NOSIGNAL) >= 0) return true;
        if (errno != EAGAIN && errno != EINTR) leave();
        return false;
    }

private:
    static constexpr std::size_t kMost = 1 << 20;

    bool hung_up() const {
        pollfd file{client_, POLLRDHUP, 0};
        return poll(&file, 1, 0) > 0 && file.revents & (POLLRDHUP | POLLHUP);
    }

    bool gone() const {
        char byte;
        return recv(client_, &byte, 1, MSG_PEEK) == 0;
    }

    void leave() {
        close(client_);
        client_ = -1;
    }

    int folder_, listener_ = -1, client_ = -1;
    std::string name_;
};
