export { type Api, type ApiOptions, createApi, type NetworkOptions } from './create-api.ts';
