// Tests of the plain halves that decide and coordinate, without Node: run by plain.test.ts, and by .ci/run under the thread sanitizer, which cannot look into a
// Node that was not built for it.
#include "check.h"

int main() {
  testPolicies();
  testAccounts();
  testPermits();
  testPermitsOverdue();
  testFirstOfTraffic();
  testGrants();
  testRescue();
  testRescueOfTheDead();
  std::puts("plain halves: all as they should be");
}
