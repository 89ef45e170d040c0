import { type AgentOptions, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type AgentOptions as HttpsAgentOptions } from 'node:https';
import type { VaultEgress } from '../contract.ts';

/** Sockets of the two protocols that go where the operator allows. */
export function checkedAgents(egress: VaultEgress, plain: AgentOptions, encrypted: HttpsAgentOptions) {
  return {
    httpAgent: checked(egress, new HttpAgent({ ...plain, lookup: egress.lookup(true) }), true),
    httpsAgent: checked(egress, new HttpsAgent({ ...encrypted, lookup: egress.lookup(false) }), false),
  };
}

/** An address in place of a name is never looked up. */
function checked<Agent extends HttpAgent>(egress: VaultEgress, agent: Agent, plain: boolean): Agent {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, callback) => {
    try {
      egress.assert({ host: options.host ?? '', plain });
    } catch (error) {
      callback?.(error as Error, undefined as never);
      return undefined;
    }
    return connect(options, callback);
  };
  return agent;
}
