// The conductor as the master's JavaScript has it: which sockets it watches for which strategy, and the bells of the workers. Everything else it does by
// itself. Nothing here waits for more than a duty's turn.
#include "conductor_object.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>

#include "accounts.h"
#include "args.h"
#include "callback.h"
#include "conductor.h"
#include "environment.h"
#include "grant.h"
#include "permit.h"
#include "rescue.h"
#include "result.h"
#include "steer_least.h"
#include "steer_weighted.h"
#include "wake.h"

namespace drover {

namespace {

class ConductorObject final : public Napi::ObjectWrap<ConductorObject>, public Resource {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Conductor",
                       {InstanceMethod<&ConductorObject::start>("start"), InstanceMethod<&ConductorObject::stop>("stop"),
                        InstanceMethod<&ConductorObject::wakeFd>("wakeFd"), InstanceMethod<&ConductorObject::setBell>("setBell"),
                        InstanceMethod<&ConductorObject::grant>("grant"), InstanceMethod<&ConductorObject::ungrant>("ungrant"),
                        InstanceMethod<&ConductorObject::permit>("permit"), InstanceMethod<&ConductorObject::unpermit>("unpermit"),
                        InstanceMethod<&ConductorObject::rescue>("rescue"), InstanceMethod<&ConductorObject::unrescue>("unrescue"),
                        InstanceMethod<&ConductorObject::openLeastGroup>("openLeastGroup"), InstanceMethod<&ConductorObject::openWeightedGroup>("openWeightedGroup"),
                        InstanceMethod<&ConductorObject::addToGroup>("addToGroup"), InstanceMethod<&ConductorObject::attachGroup>("attachGroup"),
                        InstanceMethod<&ConductorObject::closeGroup>("closeGroup"), InstanceMethod<&ConductorObject::boardChanged>("boardChanged"),
                        InstanceMethod<&ConductorObject::ticks>("ticks")});
  }

  explicit ConductorObject(const Napi::CallbackInfo& info) : ObjectWrap(info), environment_(Environment::of(info.Env())) {
    Args args(info);
    const Napi::ArrayBuffer buffer = args.buffer(0);
    const int stallMs = args.integer(1);
    const int permits = args.integer(2);
    if (!args.valid() || stallMs < 0 || permits < 0 || permits > kMaxPermits) return;
    const Board board(environment_.mappings.of(buffer));
    if (!board.valid()) return;
    conductor_ = std::make_unique<Conductor>(board);
    stallNs_ = static_cast<uint64_t>(stallMs) * 1'000'000;
    auto grants = std::make_unique<GrantDuty>(*conductor_, bells_, stallNs_);
    auto permitDuty = std::make_unique<PermitDuty>(*conductor_, bells_, permits, stallNs_);
    auto rescues = std::make_unique<RescueDuty>(*conductor_, bells_, stallNs_);
    auto accounts = std::make_unique<Accounts>(board);
    rescues_ = rescues.get();
    accounts_ = accounts.get();
    grants_ = grants.get();
    permits_ = permitDuty.get();
    conductor_->add(std::move(grants));
    conductor_->add(std::move(permitDuty));
    conductor_->add(std::move(rescues));
    conductor_->add(std::move(accounts));
  }

  // The environment ends before the conductor was stopped. Our finalizer may run when the environment's own state is gone already.
  void shutDown() override {
    conductor_->stop();
    environment_.remove(this);
  }

 private:
  Napi::Value start(const Napi::CallbackInfo& info) {
    if (!conductor_) return result(info.Env(), -EINVAL);
    const int status = conductor_->start();
    if (status == 0) {
      environment_.add(this);
      Ref();
      started_ = true;
    }
    return result(info.Env(), status);
  }

  void stop(const Napi::CallbackInfo&) {
    if (!std::exchange(started_, false)) return;
    conductor_->stop();
    environment_.remove(this);
    Unref();
    groups_.clear();
    conductor_.reset();
  }

  Napi::Value wakeFd(const Napi::CallbackInfo& info) { return result(info.Env(), conductor_ ? conductor_->wakeFd() : -EBADF); }

  Napi::Value setBell(const Napi::CallbackInfo& info) {
    Args args(info);
    const int row = args.integer(0);
    const int fd = args.integer(1);
    if (!args.valid() || !conductor_ || row < 0 || row >= kMaxRows) return result(info.Env(), -EINVAL);
    Fd bell(fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (fd >= 0 && !bell.valid()) return result(info.Env(), lastError());
    conductor_->change([&] { bells_.set(row, std::move(bell)); return 0; });
    return result(info.Env(), 0);
  }

  template <typename DutyType>
  Napi::Value add(const Napi::CallbackInfo& info, DutyType* duty) {
    Args args(info);
    const int fd = args.integer(0);
    if (!args.valid() || !conductor_ || conductor_->wakeFd() < 0) return result(info.Env(), -EINVAL);
    Fd socket(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!socket.valid()) return result(info.Env(), lastError());
    return result(info.Env(), conductor_->change([&] { return duty->addSocket(std::move(socket)); }));
  }

  template <typename DutyType>
  Napi::Value remove(const Napi::CallbackInfo& info, DutyType* duty) {
    Args args(info);
    const int id = args.integer(0);
    if (!args.valid()) return result(info.Env(), -EINVAL);
    if (conductor_) {
      conductor_->change([&] {
        duty->removeSocket(id);
        return 0;
      });
    }
    return result(info.Env(), 0);
  }

  // An id for the group, or -errno.
  int open(std::unique_ptr<SteeredGroup> group) {
    const int id = nextGroup_++;
    groups_[id] = group.get();
    conductor_->add(std::move(group));
    return id;
  }

  Napi::Value openLeastGroup(const Napi::CallbackInfo& info) {
    Args args(info);
    const int board = args.integer(0);
    if (!args.valid() || !conductor_) return result(info.Env(), -EINVAL);
    Fd own(fcntl(board, F_DUPFD_CLOEXEC, 0));
    if (!own.valid()) return result(info.Env(), lastError());
    auto group = std::make_unique<LeastGroup>(*conductor_, *accounts_, std::move(own), stallNs_);
    const int status = group->open();
    return result(info.Env(), status < 0 ? status : open(std::move(group)));
  }

  Napi::Value openWeightedGroup(const Napi::CallbackInfo& info) {
    return result(info.Env(), conductor_ ? open(std::make_unique<WeightedGroup>(*conductor_, stallNs_)) : -EINVAL);
  }

  Napi::Value addToGroup(const Napi::CallbackInfo& info) {
    Args args(info);
    const auto group = groups_.find(args.integer(0));
    const int slot = args.integer(1);
    const int fd = args.integer(2);
    if (!args.valid() || group == groups_.end() || slot < 0 || slot >= kMaxSlots) return result(info.Env(), -EINVAL);
    return result(info.Env(), conductor_->change([&] { return group->second->add(slot, fd); }));
  }

  Napi::Value attachGroup(const Napi::CallbackInfo& info) {
    Args args(info);
    const auto group = groups_.find(args.integer(0));
    if (!args.valid() || group == groups_.end()) return result(info.Env(), -EINVAL);
    return result(info.Env(), conductor_->change([&] { return group->second->attach(); }));
  }

  void closeGroup(const Napi::CallbackInfo& info) {
    Args args(info);
    const auto group = groups_.find(args.integer(0));
    if (!args.valid() || group == groups_.end()) return;
    conductor_->remove(*group->second);
    groups_.erase(group);
  }

  void boardChanged(const Napi::CallbackInfo&) {
    if (conductor_) conductor_->tickNow();
  }

  Napi::Value ticks(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), conductor_ ? static_cast<double>(conductor_->ticks()) : 0); }

  Napi::Value grant(const Napi::CallbackInfo& info) { return add(info, grants_); }
  Napi::Value ungrant(const Napi::CallbackInfo& info) { return remove(info, grants_); }
  Napi::Value rescue(const Napi::CallbackInfo& info) { return add(info, rescues_); }
  Napi::Value unrescue(const Napi::CallbackInfo& info) { return remove(info, rescues_); }
  Napi::Value permit(const Napi::CallbackInfo& info) { return add(info, permits_); }
  Napi::Value unpermit(const Napi::CallbackInfo& info) { return remove(info, permits_); }

  Environment& environment_;
  // Before the conductor, whose duties ring them.
  Bells bells_;
  std::unique_ptr<Conductor> conductor_;
  GrantDuty* grants_ = nullptr;
  PermitDuty* permits_ = nullptr;
  RescueDuty* rescues_ = nullptr;
  Accounts* accounts_ = nullptr;
  // Owned by the conductor, as all duties are.
  std::unordered_map<int, SteeredGroup*> groups_;
  int nextGroup_ = 0;
  bool started_ = false;
  uint64_t stallNs_ = 0;
};

}  // namespace

Napi::Function ConductorClass(Napi::Env env) { return ConductorObject::define(env); }

}  // namespace drover
