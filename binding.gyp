# The native half. Built by native/build.mjs, which also knows how to build Debug, Asan and Ubsan beside Release.
{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {
      'Release': {},
      'Debug': {},
      # Run with LD_PRELOAD=$(g++ -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 DROVER_ADDON=build/Asan/drover.node
      'Asan': {
        'cflags': ['-O1', '-g', '-fsanitize=address', '-fno-omit-frame-pointer'],
        'ldflags': ['-fsanitize=address'],
      },
      # Run with UBSAN_OPTIONS=halt_on_error=1 DROVER_ADDON=build/Ubsan/drover.node
      'Ubsan': {
        'cflags': ['-O1', '-g', '-fsanitize=undefined', '-fno-sanitize=vptr', '-fno-sanitize-recover=all'],
        'ldflags': ['-fsanitize=undefined'],
      },
    },
  },
  'targets': [
    {
      'target_name': 'drover',
      'sources': [
        'native/accept_errno.cc',
        'native/acceptor.cc',
        'native/accounts.cc',
        'native/addon.cc',
        'native/address.cc',
        'native/board.cc',
        'native/bpf.cc',
        'native/channel.cc',
        'native/conductor.cc',
        'native/conductor_object.cc',
        'native/environment.cc',
        'native/exclusive.cc',
        'native/gate.cc',
        'native/grant.cc',
        'native/heartbeat.cc',
        'native/least_loaded.cc',
        'native/listen.cc',
        'native/loop_stamp.cc',
        'native/memory.cc',
        'native/message.cc',
        'native/parent_watch.cc',
        'native/permit.cc',
        'native/queue.cc',
        'native/reap.cc',
        'native/steer.cc',
        'native/steer_least.cc',
        'native/steer_weighted.cc',
        'native/wake.cc',
      ],
      'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")"],
      'defines': [
        'NAPI_VERSION=8',
        'NAPI_DISABLE_CPP_EXCEPTIONS',
        # An environment that ends can't be thrown into.
        'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      ],
      'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
      'cflags_cc': ['-std=c++20'],
      'cflags': ['-Wall', '-Wextra', '-Werror', '-fvisibility=hidden', '-fvisibility-inlines-hidden'],
      # A heartbeat thread whose disk hangs can outlive its environment: the code must stay.
      'ldflags': ['-Wl,-z,nodelete', '-pthread'],
    },
  ],
}
