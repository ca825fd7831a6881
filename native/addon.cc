// What the addon exports, one line each; src/native.ts is the manual. State per environment: environment.h.
#include <napi.h>

#include <memory>

#include "acceptor_object.h"
#include "address.h"
#include "beneath.h"
#include "board_layout.h"
#include "channel_object.h"
#include "conductor_object.h"
#include "descriptor_limit.h"
#include "environment.h"
#include "heartbeat.h"
#include "leave_terminal.h"
#include "listen.h"
#include "loop_stamp.h"
#include "memory.h"
#include "proxy_reader.h"
#include "queue_binding.h"
#include "queued_bytes.h"
#include "reap.h"
#include "send_now.h"
#include "sendfile.h"
#include "steer.h"
#include "steer_least.h"
#include "steer_source.h"
#include "exclusive.h"
#include "wake.h"
#include "withhold_bpf.h"

namespace drover {

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(std::make_unique<Environment>(env).release());  // Node-API deletes it with the environment.
  leaveTerminalAtExit();

  exports.Set("Acceptor", AcceptorClass(env));
  exports.Set("Channel", ChannelClass(env));
  exports.Set("Conductor", ConductorClass(env));
  exports.Set("ProxyReader", ProxyReaderClass(env));
  exports.Set("FileTransfer", FileTransferClass(env));
  exports.Set("boardLayout", Napi::Function::New<BoardLayout>(env, "boardLayout"));
  exports.Set("createBoardMap", Napi::Function::New<CreateBoardMap>(env, "createBoardMap"));
  exports.Set("createMemory", Napi::Function::New<CreateMemory>(env, "createMemory"));
  exports.Set("sealMemory", Napi::Function::New<SealMemory>(env, "sealMemory"));
  exports.Set("createSocketMap", Napi::Function::New<CreateSocketMap>(env, "createSocketMap"));
  exports.Set("descriptorLimit", Napi::Function::New<DescriptorLimit>(env, "descriptorLimit"));
  exports.Set("heartbeatStats", Napi::Function::New<GetHeartbeatStats>(env, "heartbeatStats"));
  exports.Set("isListening", Napi::Function::New<IsListening>(env, "isListening"));
  exports.Set("isWaiting", Napi::Function::New<IsWaiting>(env, "isWaiting"));
  exports.Set("leaveTerminal", Napi::Function::New<LeaveTerminal>(env, "leaveTerminal"));
  exports.Set("listenDrops", Napi::Function::New<ListenDrops>(env, "listenDrops"));
  exports.Set("listenTcp", Napi::Function::New<ListenTcp>(env, "listenTcp"));
  exports.Set("listenUnix", Napi::Function::New<ListenUnix>(env, "listenUnix"));
  exports.Set("localAddress", Napi::Function::New<LocalAddress>(env, "localAddress"));
  exports.Set("mapMemory", Napi::Function::New<MapMemory>(env, "mapMemory"));
  exports.Set("noDelay", Napi::Function::New<NoDelay>(env, "noDelay"));
  exports.Set("parseProxyHeader", Napi::Function::New<ParseProxyHeader>(env, "parseProxyHeader"));
  exports.Set("peerAddress", Napi::Function::New<PeerAddress>(env, "peerAddress"));
  exports.Set("openBeneath", Napi::Function::New<OpenBeneath>(env, "openBeneath"));
  exports.Set("queuedBytes", Napi::Function::New<QueuedBytes>(env, "queuedBytes"));
  exports.Set("queueLength", Napi::Function::New<QueueLengthOf>(env, "queueLength"));
  exports.Set("reap", Napi::Function::New<Reap>(env, "reap"));
  exports.Set("sendFile", Napi::Function::New<SendFile>(env, "sendFile"));
  exports.Set("setSocket", Napi::Function::New<SetSocket>(env, "setSocket"));
  exports.Set("sendNow", Napi::Function::New<SendNow>(env, "sendNow"));
  exports.Set("setSubreaper", Napi::Function::New<SetSubreaper>(env, "setSubreaper"));
  exports.Set("socketPair", Napi::Function::New<SocketPair>(env, "socketPair"));
  exports.Set("stampLoop", Napi::Function::New<StampLoop>(env, "stampLoop"));
  exports.Set("startHeartbeat", Napi::Function::New<StartHeartbeat>(env, "startHeartbeat"));
  exports.Set("startLoopStamp", Napi::Function::New<StartLoopStamp>(env, "startLoopStamp"));
  exports.Set("statBeneath", Napi::Function::New<StatBeneath>(env, "statBeneath"));
  exports.Set("steerAmong", Napi::Function::New<SteerAmong>(env, "steerAmong"));
  exports.Set("setWakePeer", Napi::Function::New<SetWakePeer>(env, "setWakePeer"));
  exports.Set("startWake", Napi::Function::New<StartWake>(env, "startWake"));
  exports.Set("createBell", Napi::Function::New<CreateBell>(env, "createBell"));
  exports.Set("exclusiveWorks", Napi::Function::New<ExclusiveWorks>(env, "exclusiveWorks"));
  exports.Set("steerLeast", Napi::Function::New<SteerLeast>(env, "steerLeast"));
  exports.Set("steerBySource", Napi::Function::New<SteerBySource>(env, "steerBySource"));
  exports.Set("withholdBpf", Napi::Function::New<WithholdBpf>(env, "withholdBpf"));
  return exports;
}

}  // namespace drover

static Napi::Object Init(Napi::Env env, Napi::Object exports) { return drover::init(env, exports); }
NODE_API_MODULE(drover, Init)
