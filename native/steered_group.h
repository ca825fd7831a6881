// The sockets of one SO_REUSEPORT group that the conductor steers: what steer_least.cc and steer_weighted.cc have in common.
#pragma once

#include <cstdint>
#include <vector>

#include "conductor.h"
#include "fd.h"

namespace drover {

class SteeredGroup : public Duty {
 public:
  explicit SteeredGroup(Conductor& conductor) : conductor_(conductor) {}
  ~SteeredGroup() override {
    for (const Member& member : members_) conductor_.unwatchTraffic(member.socket.get());
  }

  // All with the lock held (Conductor::change). Sockets in order of listen(); the descriptor is duplicated. 0 or -errno.
  virtual int add(int slot, int fd) = 0;
  // Makes the kernel go by the sockets that have been added. 0 or -errno.
  virtual int attach() = 0;

 protected:
  struct Member {
    int slot;
    Fd socket;
  };
  // Whoever holds a socket of the group can take the program off: it is put there again this often, as long as there is traffic.
  static constexpr uint64_t kAttachAgainNs = 1'000'000'000;
  // For what only must not be forgotten while there is traffic.
  static constexpr int kSlowTickMs = 100;

  Conductor& conductor_;
  std::vector<Member> members_;
};

}  // namespace drover
