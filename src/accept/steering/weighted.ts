/**
 * `weighted`: at random, by shares that the conductor draws up anew as the loads change (native/steer_weighted.cc). Needs no privilege. The conductor reads
 * from the board who serves; here it is only told to look.
 */
import { check, type NativeConductor } from '../../native.js';
import type { Steering } from './steering.js';

export function steerByWeights(conductor: NativeConductor): Steering {
  const group = check('openWeightedGroup', conductor.openWeightedGroup());
  return {
    name: 'weighted',
    add: (slot, fd) => conductor.addToGroup(group, slot, fd),
    serving() {
      conductor.boardChanged();
      return 0;
    },
    close: () => conductor.closeGroup(group),
  };
}
