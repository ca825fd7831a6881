// Join the shortest queue, in the kernel: an SK_REUSEPORT program (Linux 4.19, CAP_BPF; see bpf.cc) that reads the board at the first packet of each
// connection and picks the least loaded slot whose worker is ready, not full, not out of descriptors, and not out of poll for longer than `stallMs`. Without the
// privilege -EPERM: steer by weights instead (steer_weighted.cc).
//
// - The choice counts as load at once: the program adds to the slot's `selected`, whoever accepts adds to `accepted`, and the difference is the slot's
//   queue. Otherwise a burst, whose choices are all made before the first accept, would go to one slot.
// - No branches while choosing: every slot computes a 64-bit key, bad ones get a bit that no good one has, and the smallest key wins by
//   arithmetic. So the verifier has one path to walk, however many slots; with branches it gives up at about thirty.
// - Key: bit 62 not eligible · bit 61 not ready · bits 24-60 load · bits 8-23 random, so that equals share · bits 0-7 slot.
// - Nobody eligible: the least loaded of those that are ready all the same; whoever can first takes it from there. Nobody ready: the kernel's hash decides, which may
//   choose a slot whose worker boots or is gone; counted on the board.
#include "steer_least.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "args.h"
#include "board.h"
#include "result.h"

namespace drover {

namespace {
constexpr int kLoadShift = 24;
constexpr int kIneligibleBit = 62;
constexpr int kNotReadyBit = 61;
constexpr int kSign = 63;
constexpr int32_t kRandomMask = 0xffff00;
constexpr int32_t kSlotMask = kMaxSlots - 1;
// Above this a connection chooses among a random block of so many slots.
constexpr size_t kBlock = 64;

constexpr Register kContext = R6, kStalledBefore = R7, kBest = R8, kRandom = R9;

static_assert((kMaxSlots & kSlotMask) == 0 && (kMaxRows & (kMaxRows - 1)) == 0, "masks");

// An odd number of its own for each slot. Not a constant times the slot: multiples of one are evenly spaced, and the gaps between them are what slots that tie
// would share by.
constexpr int32_t oddOf(int slot) {
  uint32_t odd = (static_cast<uint32_t>(slot) + 1) * 0x85ebca6bu;
  odd = (odd ^ odd >> 13) * 0xc2b2ae35u;
  return static_cast<int32_t>((odd ^ odd >> 16) | 1);
}

// The slot's key into kBest, if it is smaller. Changes R0-R5.
void considerSlot(BpfAssembler& program, int board, int slot) {
  constexpr Register bad = R0, slotBoard = R1, row = R3;
  program.setMapValue(slotBoard, board, slotOffset(slot));
  program.load(BPF_W, R2, slotBoard, offsetof(SlotBoard, owner));
  // Owner 0, "nobody", is the header's row, whose state is never kReady.
  program.apply(BPF_AND, R2, kMaxRows - 1);
  program.apply(BPF_MUL, R2, sizeof(BoardRow));
  program.setMapValue(row, board, 0);
  program.apply(BPF_ADD, row, R2);

  program.load(BPF_W, bad, row, offsetof(BoardRow, state));
  program.apply(BPF_XOR, bad, static_cast<int32_t>(State::kReady));
  program.load(BPF_W, R4, row, offsetof(BoardRow, exhausted));
  program.apply(BPF_OR, bad, R4);

  // Stalled: 0 < loopStamp < kStalledBefore. Signs, spread over the word by arithmetic shifts, are the truth values.
  program.load(BPF_DW, R4, row, offsetof(BoardRow, loopStamp));
  program.move(R5, R4);
  program.apply(BPF_SUB, R5, kStalledBefore);
  program.apply(BPF_ARSH, R5, kSign);
  program.apply(BPF_NEG, R4, 0);
  program.apply(BPF_ARSH, R4, kSign);
  program.apply(BPF_AND, R5, R4);
  program.apply(BPF_AND, R5, 1);
  program.apply(BPF_OR, bad, R5);

  // R4 = max(0, selected - accepted): 32-bit counters that wrap, so the difference is sign-extended from 32 bits.
  program.load(BPF_W, R4, slotBoard, offsetof(SlotBoard, selected));
  program.load(BPF_W, R5, slotBoard, offsetof(SlotBoard, accepted));
  program.apply(BPF_SUB, R4, R5);
  program.apply(BPF_LSH, R4, 32);
  program.apply(BPF_ARSH, R4, 32);
  program.move(R5, R4);
  program.apply(BPF_ARSH, R5, kSign);
  program.apply(BPF_XOR, R5, -1);
  program.apply(BPF_AND, R4, R5);

  // Full: queue + requests in flight, or queue + connections, at the limit. 1 + (load - limit) >> 63 is 1 when not below it.
  const auto addFull = [&](size_t load, size_t limit) {
    program.load(BPF_W, R2, row, load);
    program.apply(BPF_ADD, R2, R4);
    program.load(BPF_W, R5, row, limit);
    program.apply(BPF_SUB, R2, R5);
    program.apply(BPF_ARSH, R2, kSign);
    program.apply(BPF_ADD, R2, 1);
    program.apply(BPF_OR, bad, R2);
  };
  addFull(offsetof(BoardRow, requestsInFlight), offsetof(BoardRow, requestLimit));
  addFull(offsetof(BoardRow, connections), offsetof(BoardRow, connectionLimit));

  // Any bit of it becomes that one.
  const auto gather = [&](Register truth, int bit) {
    program.apply(BPF_NEG, truth, 0);
    program.apply(BPF_RSH, truth, kSign);
    program.apply(BPF_LSH, truth, bit);
  };
  gather(bad, kIneligibleBit);
  program.load(BPF_W, R5, row, offsetof(BoardRow, state));
  program.apply(BPF_XOR, R5, static_cast<int32_t>(State::kReady));
  gather(R5, kNotReadyBit);
  program.apply(BPF_OR, bad, R5);

  // R4 = load: queue + connections + requests in flight + what a newcomer is charged.
  for (const size_t field : {offsetof(BoardRow, connections), offsetof(BoardRow, requestsInFlight), offsetof(BoardRow, handicap)}) {
    program.load(BPF_W, R5, row, field);
    program.apply(BPF_ADD, R4, R5);
  }
  program.apply(BPF_LSH, R4, kLoadShift);
  program.apply(BPF_OR, R4, bad);
  // One random number serves all slots: multiplied by another one for each, of which the low bits are the least random.
  program.move(R5, kRandom);
  program.apply(BPF_MUL, R5, oddOf(slot));
  program.apply(BPF_RSH, R5, 8);
  program.apply(BPF_AND, R5, kRandomMask);
  program.apply(BPF_OR, R5, slot);
  program.apply(BPF_OR, R4, R5);

  // kBest += min(0, key - kBest)
  program.apply(BPF_SUB, R4, kBest);
  program.move(R5, R4);
  program.apply(BPF_ARSH, R5, kSign);
  program.apply(BPF_AND, R4, R5);
  program.apply(BPF_ADD, kBest, R4);
}

// The slot of kBest gets the connection; when nobody is ready, the kernel's hash decides. Ends the program.
void takeBest(BpfAssembler& program, int board, int sockets) {
  program.move(R1, kBest);
  program.apply(BPF_RSH, R1, kNotReadyBit);
  const size_t nobody = program.jumpIf(BPF_JEQ, R1, 3);
  constexpr Register slot = R9;  // The random number has done its work.
  program.move(slot, kBest);
  program.apply(BPF_AND, slot, kSlotMask);
  program.store(BPF_W, R10, -4, slot);
  program.move(R1, kContext);
  program.setMap(R2, sockets);
  program.move(R3, R10);
  program.apply(BPF_ADD, R3, -4);
  program.set(R4, 0);
  program.call(BPF_FUNC_sk_select_reuseport);
  const size_t noSocket = program.jumpIf(BPF_JNE, R0, 0);
  program.apply(BPF_MUL, slot, sizeof(SlotBoard));
  program.setMapValue(R1, board, slotOffset(0));
  program.apply(BPF_ADD, R1, slot);
  program.set(R2, 1);
  program.atomicAdd(BPF_W, R1, offsetof(SlotBoard, selected), R2);
  program.set(R0, SK_PASS);
  program.exit();
  program.target(nobody);
  program.target(noSocket);
  program.setMapValue(R1, board, 0);
  program.set(R2, 1);
  program.atomicAdd(BPF_DW, R1, offsetof(BoardHeader, fallbacks), R2);
  program.set(R0, SK_PASS);
  program.exit();
}
}  // namespace

std::vector<bpf_insn> leastLoadedProgram(int board, int sockets, std::span<const int> slots, uint64_t stallNs) {
  BpfAssembler program;
  program.move(kContext, R1);
  program.call(BPF_FUNC_ktime_get_ns);
  program.move(kStalledBefore, R0);
  program.set64(R2, stallNs);
  program.apply(BPF_SUB, kStalledBefore, R2);
  program.call(BPF_FUNC_get_prandom_u32);
  program.move(kRandom, R0);
  program.set64(kBest, INT64_MAX);

  // All slots, or, beyond a block, those of one block taken at random: two levels, so that the cost of a connection has a bound.
  const size_t blocks = (slots.size() + kBlock - 1) / kBlock;
  if (blocks > 1) {
    program.call(BPF_FUNC_get_prandom_u32);
    program.apply(BPF_MOD, R0, static_cast<int32_t>(blocks));
    program.store(BPF_DW, R10, -16, R0);
  }
  for (size_t block = 0; block < blocks; block++) {
    size_t skip = 0;
    if (blocks > 1) {
      program.load(BPF_DW, R0, R10, static_cast<size_t>(-16));
      skip = program.jumpIf(BPF_JNE, R0, static_cast<int32_t>(block));
    }
    // Not side by side: when there are fewer workers the last slots have none, and each block shall lose as many.
    for (size_t i = block; i < slots.size(); i += blocks) considerSlot(program, board, slots[i]);
    if (blocks > 1) {
      takeBest(program, board, sockets);
      program.target(skip);
    }
  }
  if (blocks > 1) {
    program.set(R0, SK_PASS);
    program.exit();
  } else {
    takeBest(program, board, sockets);
  }
  return program.code();
}

int steerLeast(int fd, int board, int sockets, std::span<const int> slots, int stallMs) {
  if (stallMs <= 0 || std::any_of(slots.begin(), slots.end(), [](int slot) { return slot < 0 || slot >= kMaxSlots; })) return -EINVAL;
  const Fd program(loadReuseportProgram("drover_least", leastLoadedProgram(board, sockets, slots, static_cast<uint64_t>(stallMs) * 1'000'000)));
  if (!program.valid()) return program.get();
  const int descriptor = program.get();
  // The group keeps the program from here on.
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &descriptor, sizeof descriptor) == 0 ? 0 : lastError();
}

LeastGroup::~LeastGroup() {
  for (const Member& member : members_) accounts_.remove(member.socket.get());
}

int LeastGroup::load(std::span<const int> slots, Fd& program) const {
  program.reset(loadReuseportProgram("drover_least", leastLoadedProgram(board_.get(), sockets_.get(), slots, stallNs_)));
  if (program.valid()) return 0;
  const int status = program.release();
  return status;
}

int LeastGroup::open() {
  const int sockets = createSocketMap("drover_sockets", kMaxSlots);
  if (sockets < 0) return sockets;
  sockets_.reset(sockets);
  Fd probe;
  constexpr int first[] = {0};
  return load(first, probe);
}

int LeastGroup::add(int slot, int fd) {
  Fd socket(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!socket.valid()) return lastError();
  if (const int status = setSocket(sockets_.get(), static_cast<uint32_t>(slot), fd); status < 0) return status;
  if (const int status = conductor_.watchTraffic(socket.get()); status < 0) return status;
  accounts_.add(slot, socket.get());
  members_.push_back({slot, std::move(socket)});
  return 0;
}

int LeastGroup::attach() {
  if (members_.empty()) return 0;
  std::vector<int> slots;
  for (const Member& member : members_) slots.push_back(member.slot);
  Fd program;
  if (const int status = load(slots, program); status < 0) return status;
  program_ = std::move(program);
  const int descriptor = program_.get();
  return setsockopt(members_.front().socket.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &descriptor, sizeof descriptor) == 0 ? 0 : lastError();
}

int LeastGroup::onTick(uint64_t now, bool traffic) {
  const int nextMs = traffic ? kSlowTickMs : 0;
  if (!program_.valid() || now - attached_ < kAttachAgainNs) return nextMs;
  attached_ = now;
  const int descriptor = program_.get();
  setsockopt(members_.front().socket.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &descriptor, sizeof descriptor);
  return nextMs;
}

Napi::Value CreateBoardMap(const Napi::CallbackInfo& info) {
  Args args(info);
  const int bytes = args.integer(0);
  return result(info.Env(), args.valid() && bytes > 0 ? createSharedMap("drover_board", static_cast<size_t>(bytes)) : -EINVAL);
}

Napi::Value CreateSocketMap(const Napi::CallbackInfo& info) { return result(info.Env(), createSocketMap("drover_sockets", kMaxSlots)); }

Napi::Value SetSocket(const Napi::CallbackInfo& info) {
  Args args(info);
  const int map = args.integer(0);
  const int slot = args.integer(1);
  const int socket = args.integer(2);
  return result(info.Env(), args.valid() && slot >= 0 && slot < kMaxSlots ? setSocket(map, static_cast<uint32_t>(slot), socket) : -EINVAL);
}

Napi::Value SteerLeast(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  const int board = args.integer(1);
  const int sockets = args.integer(2);
  const std::vector<int> slots = args.integers(3);
  const int stallMs = args.integer(4);
  return result(info.Env(), args.valid() ? steerLeast(fd, board, sockets, slots, stallMs) : -EINVAL);
}

}  // namespace drover
