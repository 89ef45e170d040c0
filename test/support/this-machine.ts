import { parseEgress } from '@keyferry/egress';

/** As the operator's word: emulators and receivers of tests listen on this machine. */
export const thisMachineText = '127.0.0.0/8,::1,localhost';

export const thisMachine = parseEgress(thisMachineText);
