import { isUnencrypted } from '../common/config-fields.ts';

const regionAndEnd =
  '[a-z]{2,4}(-[a-z]+)+-\\d\\.(amazonaws\\.com|amazonaws\\.com\\.cn|amazonaws\\.eu|api\\.aws|api\\.amazonwebservices\\.com\\.cn|api\\.amazonwebservices\\.eu|c2s\\.ic\\.gov|sc2s\\.sgov\\.gov|cloud\\.adc-e\\.uk|csp\\.hci\\.ic\\.gov)';

/** Below Amazon's domains there are hosts of its customers too, so that these are the two services' own alone. */
const amazon = new RegExp(
  `^(sts\\.amazonaws\\.com|(secretsmanager|sts)(-fips)?\\.${regionAndEnd}|vpce-[a-z0-9-]+\\.(secretsmanager|sts)(-fips)?\\.[a-z0-9-]+\\.vpce\\.amazonaws\\.(com|com\\.cn|eu))$`,
);

/** Whether a URL is one of Amazon's own endpoints of the two services, encrypted. */
function isAmazon(url: string): boolean {
  const { protocol, hostname, port } = new URL(url);
  return protocol === 'https:' && port === '' && amazon.test(hostname);
}

/** Whether a URL leads to this machine, by either protocol. */
function isLocal(url: string): boolean {
  return !isUnencrypted(`http://${new URL(url).host}`);
}

/**
 * Whether credentials of the operator's may be used at an address that a tenant names. A web identity token is good for
 * whoever gets it; a signed request is for the one who passes it on, who then reads the answer, which may be
 * credentials as well.
 */
export function takesOperators(url: string): boolean {
  return URL.canParse(url) && (isAmazon(url) || isLocal(url));
}
