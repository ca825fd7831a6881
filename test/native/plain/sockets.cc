// The first of traffic, grants and rescues, with a conductor's thread, real sockets, and a thread for each worker.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bells.h"
#include "check.h"
#include "conductor.h"
#include "grant.h"
#include "permit.h"
#include "rescue.h"

using namespace drover;

namespace {
struct Address {
  sockaddr_storage bytes{};
  socklen_t length = sizeof(sockaddr_storage);
};

// A listening socket at a port of loopback's, or at an abstract name.
Fd listenAt(int family, Address& address) {
  Fd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (family == AF_INET) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(socket.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) == 0);
  } else {
    // Only the family: the kernel finds a name.
    const sa_family_t un = AF_UNIX;
    CHECK(bind(socket.get(), reinterpret_cast<const sockaddr*>(&un), sizeof un) == 0);
  }
  CHECK(listen(socket.get(), 1024) == 0);
  CHECK(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address.bytes), &address.length) == 0);
  return socket;
}

Fd connectTo(const Address& address) {
  Fd socket(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.length) == 0);
  return socket;
}

Fd duplicate(const Fd& fd) { return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

// A worker of strategy grant, reduced to what the conductor sees of it (wake.cc, acceptor_accept.cc).
void acceptGranted(BoardRow& row, int socket, int bell, const std::atomic<bool>& stop, std::atomic<int>& accepted, std::atomic<int>& vain) {
  while (!stop) {
    pollfd look = {bell, POLLIN, 0};
    if (poll(&look, 1, 50) <= 0) continue;
    store(row.loopStamp, monotonicNow());
    uint64_t count = 0;
    CHECK(read(bell, &count, sizeof count) == sizeof count || errno == EAGAIN);
    const uint32_t granted = std::atomic_ref<uint32_t>(row.granted).load(std::memory_order_acquire);
    while (static_cast<int32_t>(granted - load(row.taken)) > 0) {
      const Fd connection(accept4(socket, nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection.valid()) {
        vain++;
        store(row.taken, granted);
        break;
      }
      increment(row.accepted);
      store(row.taken, load(row.taken) + 1);
      store(row.connections, load(row.connections) + 1);
      accepted++;
    }
    store(row.loopStamp, uint64_t{0});
  }
}

void testGrantsOf(int family) {
  constexpr int kWorkers = 4;
  constexpr int kConnections = 400;
  TestBoard board;
  board.ready(kWorkers);
  Address address;
  const Fd listening = listenAt(family, address);
  Conductor conductor(board.master());
  Bells bells;
  std::vector<Fd> rung;
  for (int row = 0; row < kWorkers; row++) {
    rung.emplace_back(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    bells.set(row, duplicate(rung.back()));
  }
  // Longer than a thread waits for its CPU on a busy machine, so that nothing is granted twice.
  auto duty = std::make_unique<GrantDuty>(conductor, bells, 60'000 * kMs);
  GrantDuty* grants = duty.get();
  conductor.add(std::move(duty));
  CHECK(conductor.start() == 0);
  const int id = conductor.change([&] { return grants->addSocket(duplicate(listening)); });
  CHECK(id >= 0);

  std::atomic<bool> stop = false;
  std::atomic<int> accepted = 0;
  std::atomic<int> vain = 0;
  std::vector<std::thread> workers;
  for (int row = 0; row < kWorkers; row++) {
    workers.emplace_back([&, row] { acceptGranted(board.row(row), listening.get(), rung[static_cast<size_t>(row)].get(), stop, accepted, vain); });
  }
  std::vector<Fd> clients;
  for (int n = 0; n < kConnections; n++) clients.push_back(connectTo(address));
  while (accepted < kConnections) std::this_thread::yield();
  // The last ones are counted when they have been taken.
  for (int row = 0; row < kWorkers; row++) {
    while (load(board.row(row).granted) != load(board.row(row).taken)) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& worker : workers) worker.join();
  for (int row = 0; row < kWorkers; row++) {
    const uint32_t connections = load(board.row(row).connections);
    // Loads are looked at while they change.
    if (family == AF_INET) CHECK(connections >= kConnections / kWorkers - 3 && connections <= kConnections / kWorkers + 3);
  }
  if (family == AF_INET) CHECK(vain <= kConnections / 100);
  conductor.change([&] {
    grants->removeSocket(id);
    return 0;
  });
  conductor.stop();
}

// A conductor with a duty of that type for one listening socket, and bells that the test hears: no workers but what the test writes on the board.
template <typename DutyType>
class Watched {
 public:
  // `how`: what the duty is made with besides conductor and bells.
  template <typename... How>
  Watched(TestBoard& board, int workers, How... how) : listening(listenAt(AF_INET, address)), conductor(board.master()) {
    for (int row = 0; row < workers; row++) {
      rung.emplace_back(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      bells.set(row, duplicate(rung.back()));
    }
    auto made = std::make_unique<DutyType>(conductor, bells, how...);
    duty = made.get();
    conductor.add(std::move(made));
    CHECK(conductor.start() == 0);
    id = conductor.change([&] { return duty->addSocket(duplicate(listening)); });
    CHECK(id >= 0);
  }
  ~Watched() {
    conductor.change([&] {
      duty->removeSocket(id);
      return 0;
    });
    conductor.stop();
  }
  void waitForBell(int row) {
    pollfd look = {rung[static_cast<size_t>(row)].get(), POLLIN, 0};
    CHECK(poll(&look, 1, 30'000) == 1);
    uint64_t count = 0;
    CHECK(read(look.fd, &count, sizeof count) == sizeof count);
  }
  bool silent(int row) {
    pollfd look = {rung[static_cast<size_t>(row)].get(), POLLIN, 0};
    return poll(&look, 1, 0) == 0;
  }
  // The conductor has looked at everything since now.
  void looked() {
    const uint64_t before = conductor.ticks();
    conductor.tickNow();
    while (conductor.ticks() == before) std::this_thread::yield();
  }

  Address address;
  Fd listening;
  Bells bells;
  std::vector<Fd> rung;
  Conductor conductor;
  DutyType* duty = nullptr;
  int id = -1;
};

void accept(const Fd& listening) { CHECK(Fd(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC)).valid()); }

// Workers with one place each: what nobody can take is said to wait, and goes to who has a place as soon as the conductor hears of it.
void testGrantsWait() {
  TestBoard board;
  board.ready(2);
  for (int row = 0; row < 2; row++) store(board.row(row).requestLimit, 1u);
  Watched<GrantDuty> watched(board, 2, 60'000 * kMs);
  store(board.row(0).requestsInFlight, 1u);
  // On its way to JavaScript, which has not counted it.
  store(board.row(1).arriving, 1u);
  const Fd client = connectTo(watched.address);
  const auto waiting = [&] { return load(board.master().header().waiting); };
  while (waiting() != 1) std::this_thread::yield();
  CHECK(watched.silent(0) && watched.silent(1));
  store(board.row(1).arriving, 0u);
  watched.conductor.tickNow();
  watched.waitForBell(1);
  CHECK(watched.silent(0) && load(board.row(1).granted) == 1);
  while (waiting() != 0) std::this_thread::yield();
}

// A grant under way is no reason to tick until it is overdue.
void testGrantsRest() {
  TestBoard board;
  board.ready(1);
  Watched<GrantDuty> watched(board, 1, 60'000 * kMs);
  const Fd client = connectTo(watched.address);
  watched.waitForBell(0);
  // What is to be seen is that nothing happens: that needs a while to happen in.
  uint64_t before = 0;
  do {
    before = watched.conductor.ticks();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (watched.conductor.ticks() != before);
  accept(watched.listening);
  increment(board.row(0).accepted);
  store(board.row(0).taken, 1u);
  const Fd next = connectTo(watched.address);
  watched.waitForBell(0);
}

// Nobody takes it: overdue, it goes to another.
void testGrantsOverdue() {
  TestBoard board;
  board.ready(2);
  store(board.row(1).connections, 5u);
  Watched<GrantDuty> watched(board, 2, 20 * kMs);
  const Fd client = connectTo(watched.address);
  watched.waitForBell(0);
  watched.waitForBell(1);
  CHECK(load(board.row(0).granted) == 1 && load(board.row(1).granted) == 1);
}

// A worker that gives every grant back, since its app has closed the server, is asked less and less.
void testGrantsInVain() {
  TestBoard board;
  board.ready(1);
  Watched<GrantDuty> watched(board, 1, 60'000 * kMs);
  const Fd client = connectTo(watched.address);
  const uint64_t until = monotonicNow() + 300 * kMs;
  int rings = 0;
  while (monotonicNow() < until) {
    pollfd look = {watched.rung[0].get(), POLLIN, 0};
    if (poll(&look, 1, 10) != 1) continue;
    uint64_t count = 0;
    CHECK(read(look.fd, &count, sizeof count) == sizeof count);
    rings++;
    store(board.row(0).taken, load(board.row(0).granted));
    watched.conductor.tickNow();
  }
  // Three, then after 5, 10, 20, 40, 80 and 160 ms: never more than this, however slow we are.
  CHECK(rings >= 1 && rings <= 9);
}

// A holder that seems to wait in poll and does not come: the permit goes to another, and not back to it before its loop turns.
void testPermitsLate() {
  TestBoard board;
  board.ready(2);
  store(board.row(1).connections, 5u);
  Watched<PermitDuty> watched(board, 2, 1, 20 * kMs);
  watched.waitForBell(0);
  const Fd client = connectTo(watched.address);
  watched.waitForBell(1);
  CHECK(isLate(board.row(0)));
  store(board.row(1).exhausted, 1u);
  for (int i = 0; i < 3; i++) watched.looked();
  CHECK(watched.silent(0));
  increment(board.row(0).loopTurns);
  watched.waitForBell(0);
}
}  // namespace

void testPermitsOverdue() { testPermitsLate(); }

void testGrants() {
  testGrantsOf(AF_INET);
  testGrantsOf(AF_UNIX);
  testGrantsWait();
  testGrantsRest();
  testGrantsOverdue();
  testGrantsInVain();
}

// After a quiet time the first connection, at whichever socket, is a reason for ticks; the first at each of the others is none, nor that it still waits.
void testFirstOfTraffic() {
  constexpr size_t kSockets = 20;
  class Counting final : public Duty {
   public:
    int onTick(uint64_t, bool) override {
      ticks++;
      return 0;
    }
    std::atomic<int> ticks = 0;
  };
  TestBoard board;
  Conductor conductor(board.master());
  CHECK(conductor.start() == 0);
  auto owned = std::make_unique<Counting>();
  Counting& duty = *owned;
  conductor.add(std::move(owned));
  std::vector<Address> addresses(kSockets);
  std::vector<Fd> listening;
  for (Address& address : addresses) {
    listening.push_back(listenAt(AF_INET, address));
    CHECK(conductor.change([&] { return conductor.watchTraffic(listening.back().get()); }) == 0);
  }
  const auto tickNow = [&] {
    const int before = duty.ticks;
    conductor.tickNow();
    while (duty.ticks == before) std::this_thread::yield();
  };
  tickNow();
  const int before = duty.ticks;
  std::vector<Fd> clients;
  clients.push_back(connectTo(addresses.back()));
  while (duty.ticks == before) std::this_thread::yield();
  for (size_t i = 0; i + 1 < kSockets; i++) clients.push_back(connectTo(addresses[i]));
  tickNow();
  // The first, ours, and one that may have been on its way before.
  CHECK(duty.ticks - before <= 3);
  conductor.change([&] { return conductor.unwatchTraffic(listening.front().get()), 0; });
}

void testRescue() {
  TestBoard board;
  board.ready(3);
  Watched<RescueDuty> watched(board, 3, 20 * kMs);
  // Row 0 is full, row 1 draining: row 2 sleeps through it.
  store(board.row(0).connectionLimit, 0u);
  store(board.row(1).state, static_cast<uint32_t>(State::kDraining));
  const Fd client = connectTo(watched.address);
  watched.waitForBell(2);
  CHECK(watched.silent(0) && watched.silent(1));
  // Nobody sleeps, nobody accepts: after the stall time whoever can.
  store(board.row(2).state, static_cast<uint32_t>(State::kDraining));
  store(board.row(0).connectionLimit, kNoLimit);
  std::atomic<bool> stop = false;
  std::thread busy([&] {
    while (!stop) store(board.row(0).loopStamp, monotonicNow());
  });
  watched.waitForBell(0);
  CHECK(watched.silent(1));
  stop = true;
  busy.join();
  // Somebody gives a wake-up up. Row 0 is never stalled, however slow we are.
  store(board.row(0).loopStamp, monotonicNow() + 600'000 * kMs);
  std::atomic_ref<uint32_t>(board.master().header().orphaned).fetch_add(1);
  watched.looked();
  watched.waitForBell(0);
}

// The worker that was woken dies: another is rung as soon as the conductor is told, however little is over of its slow tick.
void testRescueOfTheDead() {
  TestBoard board;
  board.ready(3);
  // Nothing but a death is a reason here: nobody sleeps, and nobody is stalled.
  const uint64_t later = monotonicNow() + 600'000 * kMs;
  for (int row = 0; row < 3; row++) store(board.row(row).loopStamp, later);
  Watched<RescueDuty> watched(board, 3, 60'000 * kMs);
  const Fd client = connectTo(watched.address);
  for (int i = 0; i < 5; i++) watched.looked();
  for (int row = 0; row < 3; row++) CHECK(watched.silent(row));
  store(board.row(1).connections, 9u);
  store(board.row(0).state, static_cast<uint32_t>(State::kFree));
  watched.conductor.tickNow();
  watched.waitForBell(2);
  CHECK(watched.silent(0) && watched.silent(1));
}
