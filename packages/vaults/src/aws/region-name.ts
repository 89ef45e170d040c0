/**
 * Where Amazon has regions: parts of the world, and partitions of their own for China, governments and Europe. A name
 * is one of these, a direction and a number; a region that is opened in any of them fits without a change here.
 * From https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html.
 */
const realms = 'af|ap|ca|cn|eu|eu-isoe|eusc-de|il|me|mx|sa|us|us-gov|us-iso|us-isob|us-isof';
const directions = 'central|north|south|east|west|northeast|northwest|southeast|southwest';
const region = new RegExp(`^(${realms})-(${directions})-[1-9]$`);

/** What is wrong with the name of a region, in words that go after the field's name, or null. */
export function regionProblem(name: string): string | null {
  if (region.test(name)) return null;
  const wanted = 'the name of an AWS region, such as us-east-1 or eu-central-1';
  return name.startsWith('arn:') ? `is an ARN; give ${wanted}` : `must be ${wanted}`;
}
