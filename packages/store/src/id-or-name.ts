const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a text is an id, in lower case as Postgres writes them. No name may look like one. */
export const isId = (text: string): boolean => uuid.test(text);

/** The column in which to look for what a person named. */
export const columnOf = (idOrName: string): 'id' | 'name' => (isId(idOrName) ? 'id' : 'name');
