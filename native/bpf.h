// The bpf(2) system call, and an assembler for the few instructions our programs are made of. No libbpf, no clang at run time. See bpf.cc.
#pragma once

#include <linux/bpf.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fd.h"

namespace drover {

// Registers by their part in the calling convention: 0 result, 1-5 arguments (lost in a call), 6-9 kept, 10 the stack.
enum Register : uint8_t { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };

class BpfAssembler {
 public:
  void move(Register to, Register from) { emit(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
  void set(Register to, int32_t value) { emit(BPF_ALU64 | BPF_MOV | BPF_K, to, R0, 0, value); }
  void set64(Register to, uint64_t value) { wide(to, R0, static_cast<uint32_t>(value), static_cast<uint32_t>(value >> 32)); }
  void setMap(Register to, int fd) { wide(to, static_cast<Register>(BPF_PSEUDO_MAP_FD), static_cast<uint32_t>(fd), 0); }
  // Address of a byte in the one value of an array map.
  void setMapValue(Register to, int fd, size_t offset) {
    wide(to, static_cast<Register>(BPF_PSEUDO_MAP_VALUE), static_cast<uint32_t>(fd), static_cast<uint32_t>(offset));
  }
  // `operation`: BPF_ADD, BPF_SUB, BPF_AND …; 64 bits, to = to operation from.
  void apply(int operation, Register to, Register from) { emit(BPF_ALU64 | operation | BPF_X, to, from, 0, 0); }
  // The value is sign-extended to 64 bits.
  void apply(int operation, Register to, int32_t value) { emit(BPF_ALU64 | operation | BPF_K, to, R0, 0, value); }
  // `size`: BPF_W (4 bytes, zero-extended) or BPF_DW (8).
  void load(int size, Register to, Register address, size_t offset) { emit(BPF_LDX | BPF_MEM | size, to, address, static_cast<int16_t>(offset), 0); }
  void store(int size, Register address, int16_t offset, Register from) { emit(BPF_STX | BPF_MEM | size, address, from, offset, 0); }
  void atomicAdd(int size, Register address, size_t offset, Register from) {
    emit(BPF_STX | BPF_ATOMIC | size, address, from, static_cast<int16_t>(offset), BPF_ADD);
  }
  void call(int helper) { emit(BPF_JMP | BPF_CALL, R0, R0, 0, helper); }
  void exit() { emit(BPF_JMP | BPF_EXIT, R0, R0, 0, 0); }
  // A jump whose target is set later; `comparison`: BPF_JEQ, BPF_JNE …
  [[nodiscard]] size_t jumpIf(int comparison, Register left, int32_t value) {
    emit(BPF_JMP | comparison | BPF_K, left, R0, 0, value);
    return code_.size() - 1;
  }
  void target(size_t jump) { code_[jump].off = static_cast<int16_t>(code_.size() - jump - 1); }

  const std::vector<bpf_insn>& code() const { return code_; }

 private:
  void emit(int code, Register to, Register from, int16_t offset, int32_t immediate) {
    bpf_insn instruction{};
    instruction.code = static_cast<uint8_t>(code);
    instruction.dst_reg = to & 0xf;
    instruction.src_reg = from & 0xf;
    instruction.off = offset;
    instruction.imm = immediate;
    code_.push_back(instruction);
  }
  void wide(Register to, Register kind, uint32_t low, uint32_t high) {
    emit(BPF_LD | BPF_DW | BPF_IMM, to, kind, 0, static_cast<int32_t>(low));
    emit(0, R0, R0, 0, static_cast<int32_t>(high));
  }

  std::vector<bpf_insn> code_;
};

// An array of one value, which user space maps with mmap(2): descriptor or -errno.
int createSharedMap(const char* name, size_t bytes);
// BPF_MAP_TYPE_REUSEPORT_SOCKARRAY: listening sockets by slot. Descriptor or -errno.
int createSocketMap(const char* name, uint32_t slots);
// 0 or -errno (-EBUSY: the socket is in an array already).
int setSocket(int map, uint32_t slot, int socket);
// A program of type SK_REUSEPORT: descriptor or -errno.
int loadReuseportProgram(const char* name, const std::vector<bpf_insn>& code);

}  // namespace drover
